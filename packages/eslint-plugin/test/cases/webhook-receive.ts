import { type Case, finds, inExpress, leaves } from "../case.ts";

export const webhookReceive: readonly Case[] = [
  finds(
    "parsed",
    "Stripe's event out of a body that express.json has parsed",
    inExpress(
      'app.use(express.json());\napp.post("/stripe", (req, res) => { stripe.webhooks.constructEvent(req.body, req.get("stripe-signature"), secret); });',
    ),
  ),
  finds(
    "parsed",
    "the same in Next.js",
    'export async function POST(request: Request) { const body = await request.json(); stripe.webhooks.constructEvent(body, request.headers.get("stripe-signature"), secret); }',
    "app/api/stripe/route.ts",
  ),
  finds(
    "parsed",
    "the same in pages/api, where the body is parsed unless told otherwise",
    "export default function handler(req, res) { stripe.webhooks.constructEvent(req.body, req.headers['stripe-signature'], secret); }",
    "pages/api/stripe.js",
  ),
  finds(
    "parsed",
    "an HMAC over JSON that is written anew",
    inExpress(
      'import { createHmac } from "node:crypto";\napp.post("/github", (req, res) => { const mac = createHmac("sha256", secret).update(JSON.stringify(req.body)).digest("hex"); check(mac); });',
    ),
  ),
  finds(
    "parsed",
    "the same with a timestamp before it",
    inExpress(
      'import crypto from "node:crypto";\napp.post("/x", (req, res) => { const payload = JSON.stringify(req.body); crypto.createHmac("sha256", secret).update(`${t}.${payload}`).digest(); });',
    ),
  ),
  finds(
    "parsed",
    "svix over JSON that is written anew",
    inExpress(
      'import { Webhook } from "svix";\nconst hook = new Webhook(secret);\napp.post("/svix", (req, res) => { hook.verify(JSON.stringify(req.body), req.headers); });',
    ),
  ),
  leaves(
    "the bytes as they came",
    inExpress(
      'app.post("/stripe", express.raw({ type: "application/json" }), (req, res) => { stripe.webhooks.constructEvent(req.body, sig, secret); });\napp.use(express.json());',
    ),
  ),
  leaves(
    "bytes that the parser kept",
    inExpress(
      'app.use(express.json({ verify: keep }));\napp.post("/stripe", (req, res) => { stripe.webhooks.constructEvent(req.body, sig, secret); stripe.webhooks.constructEvent(req.rawBody, sig, secret); });',
    ),
  ),
  leaves(
    "the text of a request in Next.js",
    'export async function POST(request: Request) { const text = await request.text(); stripe.webhooks.constructEvent(text, request.headers.get("stripe-signature"), secret); }',
    "app/api/stripe/route.ts",
  ),
  leaves(
    "pages/api without its parser",
    "export const config = { api: { bodyParser: false } };\nexport default async function handler(req, res) { stripe.webhooks.constructEvent(req.body, sig, secret); }",
    "pages/api/stripe.js",
  ),
  leaves(
    "a fingerprint of the body",
    inExpress(
      'import { createHash } from "node:crypto";\napp.post("/x", (req, res) => { createHash("sha256").update(JSON.stringify(req.body)).digest("hex"); });',
    ),
  ),
  leaves(
    "what we sign ourselves",
    'import { createHmac } from "node:crypto";\nexport const sign = (event: object) => createHmac("sha256", secret).update(JSON.stringify(event)).digest("hex");',
  ),
];
