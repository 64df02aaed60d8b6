import { type Case, finds, inExpress, leaves } from "../case.ts";

export const errors: readonly Case[] = [
  finds(
    "inside",
    "a stack in Express's error handler",
    inExpress(
      "app.use((err, req, res, next) => { res.status(err.status || 500).json({ error: err.message, stack: err.stack }); });",
    ),
  ),
  finds(
    "inside",
    "the whole error of a catch clause",
    inExpress(
      'app.get("/", async (req, res) => { try { await run(); } catch (error) { res.status(500).json({ error }); } });',
    ),
  ),
  finds(
    "message",
    "a message with a 500",
    inExpress(
      'app.get("/", async (req, res) => { try { await run(); } catch (e) { res.status(500).send(e.message); } });',
    ),
  ),
  finds(
    "message",
    "the same in Next.js",
    'import { NextResponse } from "next/server";\nexport async function GET() { try { return await run(); } catch (e) { return NextResponse.json({ error: String(e) }, { status: 500 }); } }',
    "app/x/route.ts",
  ),
  finds(
    "message",
    "the same in hono's onError",
    'import { Hono } from "hono";\nconst app = new Hono();\napp.onError((err, c) => c.json({ message: err.message }, 500));',
  ),
  finds(
    "inside",
    "the same by its type",
    'import type { ErrorRequestHandler } from "express";\nexport const onError: ErrorRequestHandler = (error, _req, res, _next) => { res.send(`failed: ${error.stack}`); };',
  ),
  leaves(
    "a plain sentence",
    inExpress(
      'app.use((err, req, res, next) => { console.error(err.stack); res.status(500).json({ error: "Something failed", id }); });',
    ),
  ),
  leaves(
    "a message whose status the error chose, as in Express's own examples",
    inExpress(
      "app.use((err, req, res, next) => { res.status(err.status || 500); res.send({ error: err.message }); });",
    ),
  ),
  leaves(
    "a validator's message with a 400",
    inExpress(
      'app.post("/", (req, res) => { try { parse(req.body); } catch (error) { res.status(400).json({ error: error.message, issues: error.issues }); } });',
    ),
  ),
  leaves(
    "a message that is no error's",
    inExpress(
      'app.get("/", (req, res) => { const chat = load(); res.status(500).json({ message: chat.message, stack: cards.stack }); });',
    ),
  ),
  leaves("a catch clause that answers nobody", "try { run(); } catch (error) { report.send(error.stack); }"),
];
