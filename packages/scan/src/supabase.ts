import { type Answer, isSuccess } from "./answer.ts";
import type { Leg, Trial } from "./exchange.ts";
import type { Fetcher } from "./fetcher.ts";
import type { Header, Identity } from "./identities.ts";
import { isRecord, type JsonRecord, listAt, recordAt, textAt, textsAt } from "./json.ts";
import { outcome } from "./objects.ts";
import type { Random } from "./random.ts";
import { BudgetSpent, Unreachable } from "./scan-error.ts";

/** A Supabase project beside the target: its tables answer whoever has the key that stands in the browser. */
export interface SupabaseOptions {
  /** `https://<project>.supabase.co` or `http://127.0.0.1:54321`; not this machine only with its owner's consent. */
  readonly url: string;
  /** The anon or publishable key. */
  readonly anonKey: string;
}

/** A column as PostgREST describes it. */
export interface Column {
  readonly name: string;
  readonly schema: JsonRecord;
  readonly isRequired: boolean;
  /** The table whose key it holds, where it holds one. */
  readonly refers: string | undefined;
}

/** A table or view the key leads to. */
export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Its primary key, where it has one of one column. */
  readonly key: string | undefined;
  readonly takesRows: boolean;
}

/** A row the scan inserted; no other row is ever changed or deleted. */
export interface Row {
  readonly table: Table;
  readonly owner: Identity;
  readonly id: string;
  /** Unguessable text in it, and the column it stands in. */
  readonly mark: string;
  readonly markedColumn: string;
  /** The column that names its owner, where one does. */
  readonly ownerColumn: string | undefined;
}

/** Asks PostgREST as a stranger, who has the anon key alone, and as users. */
export interface Supabase {
  /** Users whose tokens PostgREST reads. */
  readonly users: readonly Identity[];
  /** What the key and the first user's token lead to; rejects with `Unreachable` where they may not be listed. */
  tables(): Promise<readonly Table[]>;
  ask(leg: Leg, who: Identity | undefined, request: TableRequest): Promise<Trial>;
  /**
   * Inserts a row as its owner.
   *
   * @throws Unreachable that says why no row could be inserted
   */
  insert(table: Table, owner: Identity): Promise<Row>;
  /** Values of a new row of this owner, and its marker. */
  values(table: Table, owner: Identity): Promise<{ values: JsonRecord; mark: string; markedColumn: string }>;
  /** What the owner sees of rows with that text in that column; undefined where the answer is no list. */
  rowsWith(leg: Leg, who: Identity | undefined, table: Table, column: string, text: string): Promise<Rows>;
  /** Deletes everything that was inserted; returns what could not be deleted, a line each. */
  cleanUp(): Promise<readonly string[]>;
}

/** The rows of an answer; none where it is a refusal. */
export interface Rows {
  readonly trial: Trial;
  readonly rows: readonly JsonRecord[];
}

/** One request to a table. */
export interface TableRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly table: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: JsonRecord;
}

/** What it is made with. */
export interface SupabaseParts {
  readonly options: SupabaseOptions;
  /** Sends to the project and nowhere else. */
  readonly fetcher: Fetcher;
  readonly identities: readonly Identity[];
  readonly random: Random;
  /** What every marker begins with. */
  readonly prefix: string;
  readonly subject: (identity: Identity) => string | undefined;
}

/**
 * Makes what asks the tables of a project. Sends nothing before it is asked to.
 *
 * @see PostgREST 12: the OpenAPI document at the root, horizontal filtering, `Prefer: return=representation`
 */
export function createSupabase(parts: SupabaseParts): Supabase {
  const { options, fetcher, random, subject } = parts;
  const base = `${new URL(options.url).pathname.replace(/(?:\/rest\/v1)?\/*$/, "")}/rest/v1`;
  const users = parts.identities.filter(({ kind }) => kind === "bearer");
  const inserted: Row[] = [];
  let listed: Promise<readonly Table[]> | undefined;

  const supabase: Supabase = {
    users,
    tables() {
      listed ??= list();
      return listed;
    },
    ask: (leg, who, { method, table, query = {}, body }) => {
      const search = new URLSearchParams(query).toString();
      return send(leg, who, method, `/${encodeURIComponent(table)}${search === "" ? "" : `?${search}`}`, body);
    },
    async insert(table, owner) {
      const { values, mark, markedColumn } = await supabase.values(table, owner);
      const trial = await supabase.ask("positive", owner, { method: "POST", table: table.name, body: values });
      const [made] = rowsIn(trial.answer);
      const id = table.key === undefined ? undefined : made?.[table.key];
      if (!isSuccess(trial.answer)) {
        const said = textAt(trial.answer.json, "message") ?? "";
        throw new Unreachable(`${owner.name} could not insert into ${table.name}: it ${outcome(trial.answer)} ${said}`);
      }
      if (typeof id !== "string" && typeof id !== "number")
        throw new Unreachable(`the answer to inserting into ${table.name} names no key`);
      const account = subject(owner);
      const ownerColumn = Object.keys(made ?? {}).find((name) => name !== table.key && made?.[name] === account);
      const row = { table, owner, id: String(id), mark, markedColumn, ownerColumn };
      inserted.push(row);
      return row;
    },
    async values(table, owner) {
      const mark = `${parts.prefix}-${random.text(8)}`;
      const marked = table.columns.find(isFreeText);
      if (marked === undefined) throw new Unreachable(`${table.name} has no column for a text of the scan`);
      const values: Record<string, unknown> = {};
      for (const column of table.columns) {
        const value = column === marked ? mark : await valueOf(column, table, owner);
        if (value !== undefined) values[column.name] = value;
      }
      return { values, mark, markedColumn: marked.name };
    },
    async rowsWith(leg, who, table, column, text) {
      const query = { select: "*", [column]: `eq.${text}` };
      const trial = await supabase.ask(leg, who, { method: "GET", table: table.name, query });
      return { trial, rows: isSuccess(trial.answer) ? rowsIn(trial.answer) : [] };
    },
    async cleanUp() {
      const left: string[] = [];
      // Children were inserted after their parents.
      for (const { table, owner, id, mark, markedColumn } of inserted.splice(0).toReversed()) {
        const query = { [table.key ?? "id"]: `eq.${id}` };
        const line = `row ${id} of ${table.name}, inserted as ${owner.name}`;
        try {
          await supabase.ask("positive", owner, { method: "DELETE", table: table.name, query });
          const { rows } = await supabase.rowsWith("reread", owner, table, markedColumn, mark);
          if (rows.length > 0) left.push(`${line}: its owner may not delete it`);
        } catch (error) {
          if (!(error instanceof BudgetSpent || error instanceof Unreachable)) throw error;
          left.push(`${line}: ${error.message}`);
        }
      }
      return left;
    },
  };
  return supabase;

  async function send(
    leg: Leg,
    who: Identity | undefined,
    method: string,
    path: string,
    body?: JsonRecord,
  ): Promise<Trial> {
    const target = `${base}${path}`;
    const outgoing = {
      method,
      target,
      headers: [
        ...credentials(who),
        ["prefer", "return=representation"],
        ["content-type", "application/json"],
      ] as const,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(who === undefined ? {} : { as: who }),
      label: who?.name ?? "nobody, with the anon key",
    };
    const answer = await fetcher.send(outgoing);
    // Evidence is read beside that of the target, which is another host.
    return { leg, outgoing: { ...outgoing, target: `${fetcher.url.origin}${target}` }, answer };
  }

  function credentials(who: Identity | undefined): readonly Header[] {
    const key: Header = ["apikey", options.anonKey];
    if (who !== undefined) return [key, who.header];
    // Publishable keys are no tokens.
    return /^ey[\w-]+\.[\w-]+\.[\w-]+$/.test(options.anonKey)
      ? [key, ["authorization", `Bearer ${options.anonKey}`]]
      : [key];
  }

  async function list(): Promise<readonly Table[]> {
    const found = new Map<string, Table>();
    let refused: Answer | undefined;
    for (const who of [undefined, ...users.slice(0, 1)]) {
      const { answer } = await send("positive", who, "GET", "/");
      if (!isSuccess(answer)) refused = answer;
      for (const table of tablesOf(answer.json)) found.set(table.name, table);
    }
    if (found.size > 0 || refused === undefined) return [...found.values()];
    throw new Unreachable(`the tables of ${fetcher.url.host} could not be listed: ${base}/ ${outcome(refused)}`);
  }

  async function valueOf(column: Column, table: Table, owner: Identity): Promise<unknown> {
    const hasDefault = column.schema["default"] !== undefined;
    const account = subject(owner);
    if (column.refers === undefined || /^users$/.test(column.refers)) {
      if (account !== undefined && (column.refers !== undefined || namesOwner(column))) return account;
    }
    if (hasDefault || !column.isRequired) return undefined;
    if (column.refers !== undefined) {
      const parent = (await supabase.tables()).find(({ name }) => name === column.refers);
      if (parent === undefined || parent === table)
        throw new Unreachable(
          `${table.name}.${column.name} needs a row of ${column.refers}, which the key does not lead to`,
        );
      return (await supabase.insert(parent, owner)).id;
    }
    return made(column, random);
  }
}

/** True for columns that say whose a row is. */
export function namesOwner({ name }: Column): boolean {
  return /^(?:user|owner|author|account|profile|creator|member|customer)_?id$|^(?:created_by|owner|user|author)$/i.test(
    name,
  );
}

/** True for columns that hold what is nobody else's business, by their names. */
export function soundsPrivate({ name }: Column): boolean {
  return /e_?mail|phone|mobile|address|birth|passw|secret|token|hash|iban|card|ssn|salary|tax|api_?key|ip_?address|medical|private/i.test(
    name,
  );
}

function tablesOf(json: unknown): readonly Table[] {
  const definitions = recordAt(json, "definitions") ?? recordAt(recordAt(json, "components"), "schemas") ?? {};
  const paths = recordAt(json, "paths") ?? {};
  return Object.entries(paths).flatMap(([path, item]): readonly Table[] => {
    const name = path.slice(1);
    const definition = recordAt(definitions, name);
    if (definition === undefined || path.startsWith("/rpc/") || recordAt(item, "get") === undefined) return [];
    const required = textsAt(definition, "required");
    const columns = Object.entries(recordAt(definition, "properties") ?? {}).flatMap(([column, schema]) =>
      isRecord(schema) ? [columnOf(column, schema, required.includes(column))] : [],
    );
    const keys = columns.filter(({ schema }) => (textAt(schema, "description") ?? "").includes("<pk/>"));
    return [
      {
        name,
        columns,
        key: keys.length === 1 ? keys[0]?.name : undefined,
        takesRows: recordAt(item, "post") !== undefined,
      },
    ];
  });
}

function columnOf(name: string, schema: JsonRecord, isRequired: boolean): Column {
  const refers = /<fk table='([^']+)'/.exec(textAt(schema, "description") ?? "")?.[1];
  return { name, schema, isRequired, refers };
}

function isFreeText(column: Column): boolean {
  const { schema, refers } = column;
  const format = textAt(schema, "format") ?? "";
  const most = schema["maxLength"];
  if (refers !== undefined || namesOwner(column) || listAt(schema, "enum").length > 0) return false;
  if ((textAt(schema, "description") ?? "").includes("<pk/>")) return false;
  return /^(?:text|character varying|varchar)/.test(format) && (typeof most !== "number" || most >= 24);
}

/** A value for a column that must have one. */
function made({ schema, name }: Column, random: Random): unknown {
  const [choice] = listAt(schema, "enum");
  if (choice !== undefined) return choice;
  const format = textAt(schema, "format") ?? textAt(schema, "type") ?? "";
  if (format === "uuid") return random.uuid();
  if (/^(?:bigint|integer|smallint|numeric|real|double precision|int\d|float\d|number)/.test(format))
    return random.int(1, 30_000);
  if (format.startsWith("bool")) return false;
  if (/^timestamp|^date/.test(format)) return "2026-01-02T03:04:05Z";
  if (/^jsonb?$/.test(format)) return {};
  if (/\[\]$|^array$/.test(format)) return [];
  return /e_?mail/i.test(name) ? `pc${random.text(8)}@example.com` : `pc${random.text(8)}`;
}

function rowsIn(answer: Answer): readonly JsonRecord[] {
  return Array.isArray(answer.json) ? answer.json.filter(isRecord) : [];
}
