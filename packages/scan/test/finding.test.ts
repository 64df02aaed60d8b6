import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checklist, type ProtectionId } from "portcullis/checklist";
import { describe, expect, it } from "vitest";
import { commandOf } from "../src/command.ts";
import { cweOf } from "../src/cwe.ts";
import { findingsOf, fingerprintOf, groupedFindings } from "../src/finding.ts";
import { forgeryLine } from "../src/forgery-line.ts";
import { readToken } from "../src/identities.ts";
import { scoresOf } from "../src/score.ts";
import { severities, severityOf } from "../src/severity.ts";
import { exchangeWith, resultOf, verdictOf } from "./report-of.ts";

describe("a finding", () => {
  it("keeps its fingerprint where a parameter is renamed, the reason is worded anew and ids differ", () => {
    const one = verdictOf("object-access", "foreign-read", { operation: "GET /things/:id", why: "Bob reads 17." });
    const two = { ...one, operation: "GET /things/{thingId}", why: "Bob reads what is alice's." };
    expect(fingerprintOf(one)).toBe(fingerprintOf(two));
    expect(fingerprintOf(one)).toBe("218cf87f6108db77779c15e372ce62bf");
  });

  it("has another fingerprint at another operation, of another check and of another protection", () => {
    const one = verdictOf("cors", "vary");
    const others = [
      { ...one, operation: "PUT /things/:id" },
      { ...one, check: "null" },
      { ...one, protection: "csrf" as const },
    ];
    expect(new Set([one, ...others].map(fingerprintOf)).size).toBe(4);
  });

  it("is one where the same check is broken with several pairs of callers, and says how often", () => {
    const verdict = verdictOf("object-access", "foreign-read");
    expect(findingsOf(resultOf([verdict, verdict, verdict]))).toMatchObject([{ times: 3 }]);
  });

  it("says which answers show it, leg by leg", () => {
    const evidence = [
      exchangeWith({ leg: "positive", as: "alice" }),
      exchangeWith({ leg: "negative", as: "nobody", answer: { status: 401, headers: [], body: "", ms: 1 } }),
      exchangeWith({}),
      exchangeWith({}),
    ];
    const [finding] = findingsOf(resultOf([verdictOf("object-access", "foreign-read", { evidence })]));
    expect(finding?.proof).toBe(
      "The allowed request (alice) was answered 200; a request known to be bad (nobody) was answered 401; the attack (bob) was answered 200, 2 times.",
    );
  });

  it("comes before what is less bad, protection by protection", () => {
    const verdicts = [
      verdictOf("errors", "shape"),
      verdictOf("jwt", "too-old"),
      verdictOf("cors", "origin-null"),
      verdictOf("jwt", "alg-none"),
    ];
    const order = findingsOf(resultOf(verdicts)).map(({ check, severity }) => `${check} ${severity}`);
    expect(order).toEqual(["alg-none critical", "too-old medium", "origin-null high", "shape low"]);
  });

  it("is grouped with the same mistake at other operations", () => {
    const at = (operation: string) =>
      verdictOf("output", "undeclared-fields", { operation, why: `${operation} says too much.` });
    const groups = groupedFindings(findingsOf(resultOf([at("GET /a"), at("GET /b"), at("GET /c")])));
    expect(groups).toMatchObject([{ why: "It says too much.", operations: ["GET /a", "GET /b", "GET /c"] }]);
  });
});

describe("ids and severities", () => {
  it("every protection has a CWE and a severity of its own", () => {
    for (const { id, priority } of checklist) {
      expect(cweOf(id, "anything").length, id).toBeGreaterThan(0);
      expect(id === "input" ? "critical" : severityOf(id, "anything"), id).toBe(priority);
    }
  });

  it("a narrower weakness stands first", () => {
    expect(cweOf("sessions", "cookie-secure")).toEqual([614, 613, 384]);
    expect(cweOf("injection", "sql-q")[0]).toBe(89);
  });

  it.each([
    ["input", "length", 1284],
    ["input", "type", 1287],
    ["injection", "quote-body-name", 89],
    ["injection", "pause-q", 89],
    ["injection", "operator-q", 943],
    ["injection", "operator-sign-in", 943],
    ["injection", "markup-q", 79],
    ["object-access", "foreign-shelfId-looks-missing", 204],
    ["sessions", "one-time", 208],
    ["exposure", "source-map", 540],
  ] as const)("the check %s/%s is CWE-%i first of all", (id, check, cwe) => {
    expect(cweOf(id, check)[0]).toBe(cwe);
  });

  it("every exception names a check that some probe has", () => {
    const source = readFileSync(join(import.meta.dirname, "../src/severity.ts"), "utf8");
    const folder = join(import.meta.dirname, "../src");
    const all = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !/severity|cwe|forgery-line|fixes/.test(name))
      .map((name) => readFileSync(join(folder, name), "utf8"))
      .join("\n");
    for (const [, id = "", names = ""] of source.matchAll(/\^([a-z-]+)\\\/\(\?:([^)]+)\)\$/g)) {
      for (const name of names.split("|").map((one) => one.replaceAll("\\", ""))) {
        // Names made of a prefix and what the API calls it are known by their prefix.
        const parts = [name, name.replace(/^(?:path|tls|sql|type|length)-/, ""), name.split("-")[0] ?? ""];
        expect(
          parts.some((part) => all.includes(`"${part}`) || all.includes(`\`${part}`)),
          `${id}/${name}`,
        ).toBe(true);
      }
    }
  });
});

describe("the score", () => {
  it("counts what was not decided like what is broken, and is silent where nothing applies", () => {
    const held = (id: ProtectionId) => verdictOf(id, "a", { verdict: "held" });
    const verdicts = [held("jwt"), held("object-access"), verdictOf("input", "a", { verdict: "inconclusive" })];
    const [critical, high, medium, low] = scoresOf(resultOf(verdicts).protections);
    expect(critical).toEqual({ priority: "critical", held: 2, broken: 0, inconclusive: 1, percent: 66 });
    expect([high, medium, low].map((score) => score?.percent)).toEqual([undefined, undefined, undefined]);
    expect(severities).toEqual(["critical", "high", "medium", "low"]);
  });
});

describe("the command that shows it again", () => {
  const target = { target: resultOf([]).target, identities: ["alice", "bob"] };
  /** Runs the lines in a shell whose curl prints its arguments. */
  function run(command: string, env: Readonly<Record<string, string>> = {}): readonly string[] {
    const script = `curl() { printf '%s\\0' curl "$@"; }\n${command}`;
    const out = execFileSync("bash", ["--norc", "-c", script], {
      env: { PATH: process.env["PATH"] ?? "", ...env },
      encoding: "utf8",
    });
    return out.split("\0").slice(0, -1);
  }

  it("asks nobody but the API, whatever host the request names", () => {
    const target = "http://evil.example/things";
    const evidence = [
      exchangeWith({ request: { method: "GET", target, headers: [["authorization", "Bearer <alice>"]] } }),
    ];
    const command = commandOf(verdictOf("canonical-request", "absolute-form", { evidence }), resultOf([]));
    expect(command).toMatch(/--request-target http:\/\/evil\.example\/things http:\/\/localhost:3000$/);
  });

  it("sends the attack with credentials from the environment", () => {
    const request = {
      method: "PATCH",
      target: "/things/1?note=<bob>",
      headers: [
        ["authorization", "Bearer <bob>"],
        ["content-type", "application/json"],
      ],
      body: '{"token":"<alice>","name":"it\'s"}',
    } as const;
    const verdict = verdictOf("object-access", "foreign-write", { evidence: [exchangeWith({ request })] });
    const command = commandOf(verdict, target);
    expect(command).toMatch(/^# the ids are those of the scan/);
    expect(run(command, { ALICE: "a $x", BOB: "b" })).toEqual([
      "curl",
      "-i",
      "-X",
      "PATCH",
      "-H",
      "authorization: Bearer b",
      "-H",
      "content-type: application/json",
      "--data-binary",
      '{"token":"a $x","name":"it\'s"}',
      "http://localhost:3000/things/1?note=b",
    ]);
  });

  it("sends no file of whoever pastes it, whatever body a description asks for", () => {
    const request = { method: "POST", target: "/things", headers: [], body: "@/etc/passwd" };
    const words = run(commandOf(verdictOf("input", "type", { evidence: [exchangeWith({ request })] }), target));
    expect(words.slice(-3)).toEqual(["--data-raw", "@/etc/passwd", "http://localhost:3000/things"]);
  });

  it("reads afterwards what the attack changed", () => {
    const reread = exchangeWith({ leg: "reread", as: "alice" });
    const command = commandOf(
      verdictOf("object-access", "foreign-write", { evidence: [exchangeWith({}), reread] }),
      target,
    );
    expect(run(command).filter((word) => word === "curl")).toHaveLength(2);
  });

  it("keeps an odd target as it was sent", () => {
    const request = { method: "GET", target: "/a/../things/%2e%2e/{x}[1]", headers: [] };
    const words = run(
      commandOf(verdictOf("canonical-request", "dot-segment", { evidence: [exchangeWith({ request })] }), target),
    );
    expect(words).toEqual(
      expect.arrayContaining(["--path-as-is", "--globoff", "http://localhost:3000/a/../things/%2e%2e/{x}[1]"]),
    );
  });

  it("makes a large body instead of showing one", () => {
    const honest = exchangeWith({
      leg: "positive",
      request: { method: "POST", target: "/things", headers: [], body: '{"name":"a"}' },
    });
    const large = exchangeWith({
      request: { method: "POST", target: "/things", headers: [], body: `{${" ".repeat(1999)}… (103424 characters)` },
    });
    const command = commandOf(verdictOf("body-size", "declared", { evidence: [honest, large] }), target);
    const out = execFileSync("bash", ["--norc", "-c", `curl() { cat; }\n${command}`], { encoding: "utf8" });
    expect(out.length).toBeGreaterThan(103_424);
    expect(JSON.parse(out)).toEqual({ name: "a" });
  });

  it("asks by plain http for what plain http was answered with", () => {
    const secure = { ...target, target: { ...target.target, url: "https://localhost:8443" } };
    expect(run(commandOf(verdictOf("transport", "plain-http"), secure)).at(-1)).toBe("http://localhost:8443/things/1");
  });

  it("trusts a certificate authority that the environment names, over https", () => {
    const secure = { ...target, target: { ...target.target, url: "https://localhost:8443" } };
    const command = commandOf(verdictOf("cors", "vary"), secure);
    expect(run(command, { CA: "/a b.pem" })).toEqual(expect.arrayContaining(["--cacert", "/a b.pem"]));
    expect(run(command)).not.toContain("--cacert");
  });

  const part = (json: unknown): string => Buffer.from(JSON.stringify(json)).toString("base64url");
  const token = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: "alice", exp: 2e9 })}.${"c2ln".repeat(8)}`;
  const forged = (check: string): string =>
    execFileSync("bash", ["--norc", "-c", `${forgeryLine(check, "ALICE")}\nprintf %s "$FORGED"`], {
      env: { PATH: process.env["PATH"] ?? "", ALICE: token, KEY: "key" },
      encoding: "utf8",
    });

  it.each([
    ["alg-none", { header: { alg: "none" } }],
    ["alg-nOnE", { header: { alg: "nOnE" } }],
    ["kid-path", { header: { kid: "../../../../dev/null" } }],
    ["claims-changed", { claims: { pc: "changed" } }],
    ["expired", { claims: { exp: expect.any(Number) } }],
    ["wrong-audience", { claims: { aud: "https://other.example" } }],
  ])("forges the token of %s out of the holder's own", (check, shape) => {
    expect(readToken(forged(check))).toMatchObject(shape);
  });

  it("says what is forged where it does not fit into a line", () => {
    expect(forgeryLine("embedded-key", "ALICE")).toBe("# FORGED: the token of the check embedded-key, made of $ALICE");
  });
});
