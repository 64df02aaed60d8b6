import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { checklist } from "../packages/portcullis/src/checklist.ts";

const root = join(import.meta.dirname, "..");
const unprotected = "examples/projects-unprotected";

/** What `portcullis check --json` says of one finding, as far as it is read here. */
interface Found {
  readonly file: string;
  readonly protection: string;
  readonly text: string;
}

function check(folder: string): {
  readonly status: number | null;
  readonly found: readonly Found[];
  readonly unread: readonly unknown[];
} {
  const command = ["--conditions=source", join(root, "packages/cli/src/portcullis.ts"), "check", folder, "--json"];
  const run = spawnSync(process.execPath, command, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  const said: { readonly found: readonly Found[]; readonly unread: readonly unknown[] } = JSON.parse(run.stdout);
  return { status: run.status, ...said };
}

/** A hole of the unprotected example: the line in which a rule finds it, or why no rule does. */
type Answer = { readonly line: string } | { readonly why: string };

const ruleIsPlanned = "Its protection's rule is planned.";
const notSource = "Its protection has no rule: see the row of the checklist.";

/** Hole by hole, by file and by the words after "hole: ", in the order of the file. */
const answers: Readonly<Record<string, readonly (readonly [string, Answer])[]>> = {
  "accounts.ts": [
    ["mass-assignment: whatever the body names", { line: "Object.assign(user ?? {}, req.body)" }],
    ["versioning: .all answers", { why: notSource }],
    ["output: the raw row with passwordHash", { line: "res.json(db.get(`SELECT * FROM users" }],
    ["function-access: somebody is signed in", { why: ruleIsPlanned }],
    ["function-access: the same here", { why: ruleIsPlanned }],
  ],
  "app.ts": [
    ["security-headers: no helmet", { why: ruleIsPlanned }],
    [
      "audit: nothing is written down",
      { why: "What is not there stands in no line: a log may be kept by a proxy or a wrapper." },
    ],
    ["host: every Host is served", { line: 'app.set("trust proxy", true)' }],
    ["canonical-request: a query value", { why: notSource }],
    ["cors: every origin is reflected", { line: "cors({ origin: true, credentials: true })" }],
    ["canonical-request: double slashes", { why: notSource }],
    ["body-size: 50 MB for everybody", { line: 'express.json({ limit: "50mb"' }],
    ["csrf: text/plain and forms", { line: '"text/plain"' }],
    ["canonical-request: the last of two", { why: notSource }],
    ["versioning: TRACE reads", { why: notSource }],
    [
      "csrf: no route that a cookie opens",
      { why: "Where a cookie opens routes is not told in one file; the prover sends what a page could." },
    ],
    ["errors: message, SQL and stack", { line: "stack: error.stack" }],
  ],
  "auth.ts": [
    ["jwt: a secret out of a tutorial", { line: "JWT_SECRET, {" }],
    [
      "jwt: one token is good for thirty days",
      { why: "How long is too long is a decision; the prover demands at most an hour." },
    ],
    [
      "api-keys: every key in plain text",
      { why: "That a Set holds keys stands in its name alone; the prover reads keys back." },
    ],
    ["exposure: the credential may stand in the URL", { line: "req.query.api_key ?? req.query.token" }],
    ["jwt: a bare token passes", { line: '.replace("Bearer ", "")' }],
    [
      "api-keys: nobody looks at an expiry",
      { why: "What is not looked at stands in no line; the prover uses a revoked key." },
    ],
    ["jwt: decoded, never verified", { line: "jwt.decode(token)" }],
    ["rate-limit: a fixed window in a Map", { line: 'req.headers["x-forwarded-for"]' }],
    ["injection: the e-mail address", { line: "findUser(`email = '${email}'`)" }],
    [
      "sessions: a stranger learns",
      { why: "Two answers that differ are seen by asking twice, which the prover does." },
    ],
    [
      "sessions: a session id that the browser brought",
      { why: "Where an id comes from is seen by bringing one along, which the prover does." },
    ],
    ["sessions: no HttpOnly", { line: 'res.cookie("session", sessionId)' }],
    [
      "output: the whole row",
      { why: "The row was put on res.locals by another function; the same row is found where it is read and sent." },
    ],
    [
      "sessions: the browser forgets",
      { why: "That nothing is deleted stands in no line; the prover uses the cookie again." },
    ],
    [
      "api-keys: the keys can be read again",
      { why: "That a column holds keys is not told here; the prover reads them back." },
    ],
    ["object-access: anybody's key", { why: ruleIsPlanned }],
    [
      "api-keys: it stays in the Set",
      { why: "That nothing is deleted stands in no line; the prover uses the key again." },
    ],
    ["api-keys: predictable randomness", { line: "Math.random()" }],
  ],
  "db.ts": [
    [
      "errors: the SQL text travels",
      { why: "An error may carry what it likes; it is found where it is sent, in app.ts." },
    ],
    ["sessions: passwords are stored as unsalted MD5", { line: "passwordHash: md5(password)" }],
  ],
  "debug.ts": [
    ["exposure: the environment for whoever asks", { line: "res.json({ env: ENV" }],
    [
      "exposure: the folder of the project",
      { why: "The example only plays it, with a text it makes; express.static on the folder itself is found." },
    ],
    [
      "exposure: a map of the whole API",
      { why: "A document may be meant for the public; the prover asks for it as a stranger." },
    ],
    [
      "exposure: metrics without a lock",
      { why: "Metrics may be kept from strangers by a proxy; the prover asks for them as one." },
    ],
  ],
  "projects.ts": [
    ["input: no schema", { why: ruleIsPlanned }],
    ["mass-assignment: the body comes last", { line: 'db.insert("projects", project)' }],
    ["versioning: .all answers", { why: notSource }],
    ["pagination: any limit", { line: "const items = db.query(" }],
    ["object-access: the whole tenant", { why: ruleIsPlanned }],
    ["output: raw rows", { line: "res.json({ items, next: items.length === limit" }],
    ["object-access: looked up by id alone", { why: ruleIsPlanned }],
    ["mass-assignment: the body is merged", { line: "Object.assign(project, req.body)" }],
    ["object-access: the classic", { why: ruleIsPlanned }],
    ["object-access: everybody may make", { why: ruleIsPlanned }],
    ["authentication: forgotten on this route", { line: 'router.get("/v1/projects/:id/comments", (' }],
    ["object-access: the comment need not", { why: ruleIsPlanned }],
    ["authentication: and on this one", { line: 'router.delete("/v1/projects/:id/comments/:commentId", (' }],
    ["injection: ' OR 1=1", { line: "const items = db.query(" }],
    [
      "rate-limit: none, on the most expensive",
      { why: "A limit may be set anywhere in front; the prover sends more than it allows." },
    ],
    ["versioning: the old version", { why: notSource }],
    ["host: a link made", { line: "${req.protocol}://${req.host}" }],
  ],
  "server.ts": [
    ["transport: plain http", { why: "TLS may end at a proxy in front; the prover asks over plain http." }],
  ],
};

describe("the holes of the unprotected example, in source", () => {
  const { status, found } = check(unprotected);
  const marked = globSync(`${unprotected}/*.ts`, { cwd: root }).flatMap((path) => {
    const holes = readFileSync(join(root, path), "utf8").matchAll(/hole: ([a-z-]+: [^\n]*?)(?= hole:|\n)/g);
    return [...holes].map(([, words = ""]) => ({ file: basename(path), words }));
  });

  it("are all here, each once", () => {
    for (const file of new Set([...marked.map((one) => one.file), ...Object.keys(answers)])) {
      const here = marked.filter((one) => one.file === file).map(({ words }) => words);
      const listed = answers[file] ?? [];
      expect.soft(listed.length, file).toBe(here.length);
      for (const [index, [words]] of listed.entries()) expect.soft(here[index], file).toContain(words);
    }
  });

  const each = Object.entries(answers).flatMap(([file, list]) =>
    list.map(([words, answer]) => ({ file, words, answer })),
  );

  it.each(each.filter(({ answer }) => "line" in answer))("$file: $words … is found", ({ file, words, answer }) => {
    const line = "line" in answer ? answer.line : "";
    const protection = words.slice(0, words.indexOf(":"));
    const here = found.filter((one) => one.file === file && one.protection === protection);
    expect(here.map(({ text }) => text).filter((text) => text.includes(line))).not.toEqual([]);
  });

  it.each(each.filter(({ answer }) => "why" in answer))("$file: $words … is not: $answer.why", ({ words, answer }) => {
    const protection = words.slice(0, words.indexOf(":"));
    const rule = checklist.find(({ id }) => id === protection)?.rule;
    const why = "why" in answer ? answer.why : "";
    expect(rule === "planned").toBe(why === ruleIsPlanned);
    expect(typeof rule === "object").toBe(why === notSource);
  });

  it("end the command with 1", () => {
    expect(status).toBe(1);
  });
});

describe("code that is as it should be", () => {
  const examples = globSync("examples/*/package.json", { cwd: root }).map(dirname);

  it.each([...examples.filter((folder) => folder !== unprotected), "packages", "bench", "scripts"])(
    "nothing is found in %s",
    (folder) => {
      expect(check(folder)).toEqual({ status: 0, found: [], unread: [], lookedAt: expect.any(String) });
    },
  );
});
