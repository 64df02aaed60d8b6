import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  verify as verifySignature,
} from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, get, type Server } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { SignJWT } from "jose";
import { afterAll, describe, expect, it } from "vitest";
import { isRecord, type JsonRecord, parseJson, textAt } from "../src/json.ts";
import { identityOf, type ScanOptions, scan } from "../src/scan.ts";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = String(publicKey.export({ type: "spki", format: "pem" }));
const privatePem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
const strong = "d6a1c9f2-80d3-4b3e-9f43-61a1c1b7f5e0-and-more";

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

// Side by side, each with a server of its own: a scan here waits more than it works.
describe.concurrent("jwt", { timeout: 30_000 }, () => {
  it("finds nothing in a verifier that pins the algorithm, the key and every claim", async () => {
    const found = await scanTokens((token) => pinned(token), { jwtKey: privatePem, published: true });
    expect(found.broken).toEqual([]);
    expect(found.held).toEqual(
      expect.arrayContaining([
        "algorithm-confusion",
        "jku",
        "own-issuer",
        "kid-sql",
        "id-token",
        "expired",
        "alg-none",
      ]),
    );
  });

  it("finds nothing where a shared secret is long and nobody's", async () => {
    const found = await scanTokens((token) => hmac(token, strong), { sign: strong });
    expect(found.broken).toEqual([]);
    expect(found.held).toContain("weak-secret");
  });

  it("finds a public key used as an HMAC secret, from the published key set", async () => {
    const found = await scanTokens((token) => believesAlg(token, pem), { published: true });
    expect(found.broken).toEqual(["algorithm-confusion"]);
  });

  it("finds it without a key set where the public key is given, without its last line break too", async () => {
    const found = await scanTokens((token) => believesAlg(token, pem.trimEnd()), { jwtKey: pem });
    expect(found.broken).toEqual(["algorithm-confusion"]);
  });

  it("says what it would take to try that where nobody publishes a key", async () => {
    const found = await scanTokens((token) => pinned(token), {});
    expect(found.broken).toEqual([]);
    expect(found.untried).toContain("algorithm-confusion");
  });

  it.each(["none", "NONE", "nOnE", "none "])("finds a verifier that lets alg %j pass", async (alg) => {
    const found = await scanTokens((token) => (token.header["alg"] === alg ? token.claims : pinned(token)), {});
    expect(found.broken.length).toBeGreaterThan(0);
    expect(
      found.broken.every(
        (check) => check.startsWith("alg-none") || check.startsWith("alg-N") || check.startsWith("alg-n"),
      ),
    ).toBe(true);
  });

  it("finds a key that the token brings along", async () => {
    const found = await scanTokens((token) => {
      const jwk = token.header["jwk"];
      return isRecord(jwk) && jwk["kty"] === "RSA"
        ? rsa(token, createPublicKey({ key: { ...jwk }, format: "jwk" }))
        : pinned(token);
    }, {});
    expect(found.broken).toEqual(["embedded-key"]);
  });

  it("finds a key set that is fetched from where the token says, also where the key is refused then", async () => {
    const used = await scanTokens(async (token) => {
      const jku = textAt(token.header, "jku");
      if (jku === undefined) return pinned(token);
      const set: { keys: JsonRecord[] } = JSON.parse(await fetched(jku));
      return rsa(token, createPublicKey({ key: { ...set.keys[0] }, format: "jwk" }));
    }, {});
    expect(used.broken).toEqual(["jku"]);
    const only = await scanTokens(async (token) => {
      const x5u = textAt(token.header, "x5u");
      if (x5u !== undefined) await fetched(x5u);
      return pinned(token);
    }, {});
    expect(only.broken).toEqual(["x5u"]);
  });

  it("finds an issuer taken from the token, whose keys are asked for", async () => {
    const found = await scanTokens(async (token) => {
      const issuer = textAt(token.claims, "iss") ?? "";
      if (issuer === "https://id.example.com") return pinned(token);
      const metadata: { jwks_uri: string } = JSON.parse(await fetched(`${issuer}/.well-known/openid-configuration`));
      const set: { keys: JsonRecord[] } = JSON.parse(await fetched(metadata.jwks_uri));
      return rsa(token, createPublicKey({ key: { ...set.keys[0] }, format: "jwk" }));
    }, {});
    expect(found.broken).toEqual(["own-issuer"]);
  });

  it("finds a kid that is a path, and one that is SQL", async () => {
    const asFile = (token: Read) => {
      const kid = textAt(token.header, "kid");
      return kid === undefined ? hmac(token, strong) : hmac(token, readFileSync(`/tmp/${kid}`));
    };
    expect((await scanTokens(asFile, { sign: strong })).broken).toEqual(["kid-path"]);
    const database = new DatabaseSync(":memory:");
    database.exec(`CREATE TABLE keys (kid TEXT, secret TEXT); INSERT INTO keys VALUES ('1', '${strong}')`);
    const inSql = (token: Read) => {
      const row = database.prepare(`SELECT secret FROM keys WHERE kid = '${textAt(token.header, "kid") ?? "1"}'`).get();
      return row === undefined ? undefined : hmac(token, String(row["secret"]));
    };
    expect((await scanTokens(inSql, { sign: strong })).broken).toEqual(["kid-sql", "kid-sql-commented"]);
  });

  it("finds a signing secret from every tutorial without sending a guess, and does not print it", async () => {
    const found = await scanTokens((token) => hmac(token, "supersecretkey"), { sign: "supersecretkey" });
    expect(found.broken).toEqual(["weak-secret"]);
    expect(JSON.stringify(found.verdicts)).not.toContain("supersecretkey");
    const [verdict] = found.verdicts.filter(({ verdict }) => verdict === "broken");
    const legs = verdict?.evidence.map(({ leg, request, answer }) => [
      leg,
      request.target,
      "status" in answer && answer.status,
    ]);
    expect(legs).toEqual([
      ["positive", "/me", 200],
      ["attack", "/me", 200],
    ]);
  });

  it("finds that the API's own tokens never expire, without a key", async () => {
    const found = await scanTokens((token) => hmac(token, strong), { sign: strong, lives: "for ever" });
    expect(found.broken).toEqual(["never-expires"]);
    expect(found.untried).toContain("claims");
  });

  it("finds an ID token taken for an access token, and claims nobody looks at", async () => {
    const found = await scanTokens((token) => rsa(token, publicKey), { jwtKey: privatePem });
    expect(found.broken).toEqual(
      expect.arrayContaining([
        "id-token",
        "expired",
        "not-yet-valid",
        "no-exp",
        "wrong-issuer",
        "wrong-audience",
        "wrong-type",
      ]),
    );
  });

  it("finds tokens of last month accepted where the API's own live for minutes, and says that it goes by them", async () => {
    const found = await scanTokens((token) => ageless(token), { jwtKey: privatePem });
    expect(found.broken).toEqual(["too-old"]);
    expect(found.verdicts.find(({ check }) => check === "too-old")?.why).toContain("the API's own live for 10 min");
  });

  it("calls no token too old where the API's own live for a month", async () => {
    const found = await scanTokens((token) => ageless(token), { jwtKey: privatePem, lives: "30d" });
    expect(found.broken).toEqual([]);
    expect(found.held).not.toContain("too-old");
  });
});

interface Read {
  readonly text: string;
  readonly signature: Buffer;
  readonly header: JsonRecord;
  readonly claims: JsonRecord;
}
type Verify = (token: Read) => JsonRecord | undefined | Promise<JsonRecord | undefined>;

function rsa({ header, text, signature, claims }: Read, key: KeyObject): JsonRecord | undefined {
  if (header["alg"] !== "RS256") return undefined;
  return verifySignature("RSA-SHA256", Buffer.from(text), key, signature) ? claims : undefined;
}

function hmac({ header, text, signature, claims }: Read, secret: string | Buffer): JsonRecord | undefined {
  if (header["alg"] !== "HS256") return undefined;
  return createHmac("sha256", secret).update(text).digest().equals(signature) ? claims : undefined;
}

/** What a library did that chose by the token's own `alg`. */
function believesAlg(token: Read, key: string): JsonRecord | undefined {
  if (token.header["alg"] === "HS256") return hmac(token, key);
  return pinned(token);
}

function pinned(token: Read): JsonRecord | undefined {
  const { iat } = token.claims;
  return typeof iat === "number" && iat < Date.now() / 1000 - 3600 ? undefined : ageless(token);
}

/** Everything but how long ago it was issued. */
function ageless(token: Read): JsonRecord | undefined {
  const { header, claims } = token;
  const now = Date.now() / 1000;
  const { iss, aud, sub, exp, nbf, iat } = claims;
  if (header["typ"] !== "at+jwt" || header["crit"] !== undefined) return undefined;
  if (iss !== "https://id.example.com" || aud !== "https://api.example.com" || typeof sub !== "string")
    return undefined;
  if (typeof exp !== "number" || exp < now || typeof iat !== "number" || iat > now + 60) return undefined;
  if (nbf !== undefined && (typeof nbf !== "number" || nbf > now)) return undefined;
  return rsa(token, publicKey);
}

function fetched(address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(address, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
}

interface Options {
  readonly jwtKey?: string;
  readonly published?: boolean;
  readonly sign?: string;
  /** How long its own tokens live; default 10 minutes. */
  readonly lives?: string;
}

async function scanTokens(verify: Verify, { jwtKey, published = false, sign, lives = "10m" }: Options) {
  const url = await serve(verify, published);
  const unsigned = new SignJWT({})
    .setProtectedHeader({ alg: sign === undefined ? "RS256" : "HS256", typ: "at+jwt" })
    .setIssuer("https://id.example.com")
    .setAudience("https://api.example.com")
    .setSubject("alice")
    .setIssuedAt();
  if (lives !== "for ever") unsigned.setExpirationTime(lives);
  const token = await unsigned.sign(sign === undefined ? privateKey : new TextEncoder().encode(sign));
  const options: ScanOptions = {
    url,
    openapi: description,
    only: ["jwt"],
    identities: [identityOf("alice", `Bearer ${token}`)],
    seed: 1,
    ...(jwtKey === undefined ? {} : { jwtKey }),
  };
  const { verdicts } = await scan(options);
  const named = (kind: string) => verdicts.filter(({ verdict }) => verdict === kind).map(({ check }) => check);
  return {
    broken: named("broken"),
    held: named("held"),
    untried: verdicts.filter((verdict) => verdict.untried === true).map(({ check }) => check),
    verdicts,
  };
}

const description = {
  openapi: "3.1.0",
  info: { title: "tokens", version: "1" },
  security: [{ bearer: [] }],
  components: { securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
  paths: { "/me": { get: { responses: { 200: { description: "You" } } } } },
};

async function serve(verify: Verify, published: boolean): Promise<string> {
  const listening = createServer((request, response) => {
    const say = (status: number, json: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
    if (published && request.url === "/.well-known/jwks.json") {
      const jwk = publicKey.export({ format: "jwk" });
      say(200, { keys: [{ ...jwk, kid: "1", alg: "RS256" }] });
      return;
    }
    if (request.url !== "/me") {
      say(404, { title: "Not found" });
      return;
    }
    void claimsOf(request.headers.authorization ?? "", verify).then((claims) =>
      claims === undefined ? say(401, { title: "Who is it?" }) : say(200, { id: claims["sub"] ?? "nobody" }),
    );
  });
  servers.push(listening);
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const address = listening.address();
  if (typeof address !== "object" || address === null) throw new Error("it listens on no port");
  return `http://127.0.0.1:${address.port}`;
}

async function claimsOf(authorization: string, verify: Verify): Promise<JsonRecord | undefined> {
  const [scheme, token = ""] = authorization.split(" ");
  const [head = "", body = "", signature = ""] = token.split(".");
  const header = parseJson(Buffer.from(head, "base64url").toString());
  const claims = parseJson(Buffer.from(body, "base64url").toString());
  if (scheme !== "Bearer" || !isRecord(header) || !isRecord(claims)) return undefined;
  try {
    return await verify({ text: `${head}.${body}`, signature: Buffer.from(signature, "base64url"), header, claims });
  } catch {
    return undefined;
  }
}
