import { type Case, finds, inExpress, leaves } from "../case.ts";

export const csrf: readonly Case[] = [
  finds("simple", "plain text read as JSON", inExpress('app.use(express.json({ type: ["json", "text/plain"] }));')),
  finds(
    "simple",
    "anything read as JSON, by body-parser",
    inExpress('import { json } from "body-parser";\napp.use(json({ type: "*/*" }));'),
  ),
  leaves(
    "JSON read as JSON",
    inExpress('app.use(express.json(), express.json({ type: ["application/json", "application/*+json"] }));'),
  ),
  leaves(
    "one route that must, such as a notification of Amazon's",
    inExpress(
      'app.post("/sns", express.json({ type: "text/plain" }), handler);\napp.use("/sns", express.json({ type: "*/*" }));',
    ),
  ),
  leaves("text read as text", inExpress('app.use(express.text({ type: "text/plain" }));')),
];
