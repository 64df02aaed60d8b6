import { type Case, finds, leaves } from "../case.ts";

export const apiKeys: readonly Case[] = [
  finds("predictable", "a key by its name", 'const apiKey = "sk_" + Math.random().toString(36).slice(2);'),
  finds(
    "predictable",
    "a token put together from parts",
    "const resetToken = [1, 2].map(() => Math.random().toString(36)).join('');",
  ),
  finds(
    "predictable",
    "a key in a function that makes keys",
    "export function createKey() { const key = `prj_${Math.random().toString(36)}`; return key; }",
  ),
  leaves(
    "a key for a list in a page",
    "export const Row = () => { const key = Math.random().toString(36); return <li key={key} />; };",
    "src/row.tsx",
  ),
  leaves(
    "random numbers for what is no secret",
    "const delayMs = 100 * Math.random();\nconst tokenCount = Math.floor(Math.random() * 9);\nconst color = Math.random();",
  ),
  leaves(
    "randomness that is one",
    'import { randomBytes } from "node:crypto";\nconst apiKey = randomBytes(32).toString("base64url");',
  ),
  leaves("a Math that is somebody else's", 'import { Math } from "./math.ts";\nconst apiKey = Math.random();'),
];
