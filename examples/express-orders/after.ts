import express from "express";
import {
  type AuditOptions,
  anyCaller,
  by,
  createApi,
  jwt,
  list,
  nothing,
  pages,
  publicAccess,
  secret,
  view,
} from "portcullis";
import { adopt, wrap } from "portcullis/express";
import { limits } from "./limits.ts";
import { Catalogue, Me, NewNote, NewOrder, NoteId, NoteView, OrderChange, OrderId, OrderView } from "./schemas.ts";
import { type Note, newNote, newOrder, type Order, openShop, type Shop } from "./shop.ts";

/** The same application behind Portcullis: the handlers stay, the checks are policies. */
export function buildAfter(
  jwtSecret: string,
  { products, orders, notes }: Shop = openShop(),
  audit: AuditOptions = {},
) {
  const app = express();
  app.use(express.json());

  const api = createApi({
    name: "orders",
    hosts: ["localhost", "127.0.0.1"],
    credentials: [jwt({ issuer: "https://id.example.com", audience: "orders", keys: secret(jwtSecret) })],
    limits,
    audit,
  });
  const order = api.resource<Order>("order", {
    load: (id) => orders.get(id),
    owner: (one) => one.customerId,
    serverSet: ["id", "customerId", "status", "riskScore"],
  });
  const note = api.resource<Note>("note", {
    load: (id) => notes.get(id),
    parent: { resource: order, id: (one) => one.orderId },
    serverSet: ["id", "orderId"],
  });

  wrap(api, { path: "GET /v1/products", access: publicAccess("the catalogue"), output: Catalogue })((_req, res) => {
    res.json({ items: products });
  });

  wrap(api, { path: "GET /v1/me", access: anyCaller, output: Me, limit: "100/s" })((req, res) => {
    res.json({ name: req.user?.id });
  });

  wrap(api, {
    path: "GET /v1/orders",
    access: anyCaller,
    page: pages(),
    output: list(OrderView, order),
    limit: "100/s",
  })((req, res) => {
    const { page } = req;
    const mine = [...orders.values()].filter((one) => one.customerId === req.caller.subject);
    res.json({ items: mine.slice(page.offset, page.offset + page.limit), total: mine.length });
  });

  wrap(api, {
    path: "POST /v1/orders",
    access: anyCaller,
    input: { body: NewOrder },
    output: { 201: view(OrderView, order) },
    limit: "50/s",
  })((req, res) => {
    const order = newOrder(req.caller.subject, req.body.sku, req.body.quantity);
    orders.set(order.id, order);
    res.status(201).location(`/v1/orders/${order.id}`).json(order);
  });

  wrap(api, {
    path: "GET /v1/orders/:id",
    access: anyCaller,
    input: { params: OrderId },
    objects: { order: by("id", order) },
    output: view(OrderView, order),
    limit: "100/s",
  })((req, res) => {
    const order = orders.get(req.params.id);
    if (order === undefined) res.sendStatus(404);
    else res.json(order);
  });

  wrap(api, {
    path: "PATCH /v1/orders/:id",
    access: anyCaller,
    input: { params: OrderId, body: OrderChange },
    objects: { order: by("id", order) },
    output: view(OrderView, order),
    limit: "50/s",
  })((req, res) => {
    const order = orders.get(req.params.id);
    if (order === undefined) res.sendStatus(404);
    // portcullis-ignore mass-assignment: as it came; the policy in after.ts names what a body may hold
    else res.json(Object.assign(order, req.body));
  });

  wrap(api, {
    path: "DELETE /v1/orders/:id",
    access: anyCaller,
    input: { params: OrderId },
    objects: { order: by("id", order) },
    output: nothing,
    limit: "50/s",
  })((req, res) => {
    orders.delete(req.params.id);
    res.sendStatus(204);
  });

  wrap(api, {
    path: "GET /v1/orders/:id/notes",
    access: anyCaller,
    input: { params: OrderId },
    objects: { order: by("id", order) },
    page: pages(),
    output: list(NoteView, note),
    limit: "100/s",
  })((req, res) => {
    const { page } = req;
    const found = [...notes.values()].filter((one) => one.orderId === req.params.id);
    res.json({ items: found.slice(page.offset, page.offset + page.limit), total: found.length });
  });

  wrap(api, {
    path: "POST /v1/orders/:id/notes",
    access: anyCaller,
    input: { params: OrderId, body: NewNote },
    objects: { order: by("id", order) },
    output: { 201: view(NoteView, note) },
    limit: "50/s",
  })((req, res) => {
    const note = newNote(req.params.id, req.body.text);
    notes.set(note.id, note);
    res.status(201).json(note);
  });

  wrap(api, {
    path: "DELETE /v1/orders/:id/notes/:noteId",
    access: anyCaller,
    input: { params: NoteId },
    objects: { order: by("id", order), note: by("noteId", note, { within: "order" }) },
    output: nothing,
    limit: "50/s",
  })((req, res) => {
    notes.delete(req.params.noteId);
    res.sendStatus(204);
  });

  app.get("/admin/report", (_req, res) => {
    res.json({ orders: orders.size });
  });

  adopt(app, api, {
    notYet: [{ route: "GET /admin/report", reason: "only the office network reaches it", until: "2099-12-31" }],
  });
  return { app, api };
}
