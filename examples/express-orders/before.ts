import express, { type NextFunction, type Request, type Response } from "express";
import jsonwebtoken from "jsonwebtoken";
import { newNote, newOrder, openShop, type Shop } from "./shop.ts";

/** The application as it was: every check is a line that somebody has to remember. */
export function buildBefore(jwtSecret: string, { products, orders, notes }: Shop = openShop()) {
  const app = express();
  app.use(express.json());

  function requireUser<Params>(req: Request<Params>, res: Response, next: NextFunction): void {
    try {
      const token = req.headers.authorization?.split(" ")[1] ?? "";
      const claims = jsonwebtoken.verify(token, jwtSecret, { algorithms: ["HS256"] });
      res.locals["user"] = { id: typeof claims === "string" ? claims : claims.sub };
      next();
    } catch {
      res.sendStatus(401);
    }
  }

  app.get("/v1/products", (_req, res) => {
    res.json({ items: products });
  });

  app.get("/v1/me", requireUser, (_req, res) => {
    res.json({ name: res.locals["user"].id });
  });

  app.get("/v1/orders", requireUser, (req, res) => {
    const page = pageOf(req);
    const mine = [...orders.values()].filter((one) => one.customerId === res.locals["user"].id);
    res.json({ items: mine.slice(page.offset, page.offset + page.limit), total: mine.length });
  });

  app.post("/v1/orders", requireUser, (req, res) => {
    const order = newOrder(res.locals["user"].id, req.body.sku, req.body.quantity);
    orders.set(order.id, order);
    res.status(201).location(`/v1/orders/${order.id}`).json(order);
  });

  app.get("/v1/orders/:id", requireUser, (req, res) => {
    const order = orders.get(req.params.id);
    if (order === undefined) res.sendStatus(404);
    else res.json(order);
  });

  app.patch("/v1/orders/:id", requireUser, (req, res) => {
    const order = orders.get(req.params.id);
    if (order === undefined) res.sendStatus(404);
    // portcullis-ignore mass-assignment: as it came; the policy in after.ts names what a body may hold
    else res.json(Object.assign(order, req.body));
  });

  app.delete("/v1/orders/:id", requireUser, (req, res) => {
    orders.delete(req.params.id);
    res.sendStatus(204);
  });

  app.get("/v1/orders/:id/notes", requireUser, (req, res) => {
    const page = pageOf(req);
    const found = [...notes.values()].filter((one) => one.orderId === req.params.id);
    res.json({ items: found.slice(page.offset, page.offset + page.limit), total: found.length });
  });

  app.post("/v1/orders/:id/notes", requireUser, (req, res) => {
    const note = newNote(req.params.id, req.body.text);
    notes.set(note.id, note);
    res.status(201).json(note);
  });

  app.delete("/v1/orders/:id/notes/:noteId", requireUser, (req, res) => {
    notes.delete(req.params.noteId);
    res.sendStatus(204);
  });

  app.get("/admin/report", (_req, res) => {
    res.json({ orders: orders.size });
  });

  return app;
}

function pageOf(req: { readonly query: Readonly<Record<string, unknown>> }) {
  const limit = Number(req.query["limit"] ?? 20);
  return { limit, offset: (Number(req.query["page"] ?? 1) - 1) * limit };
}
