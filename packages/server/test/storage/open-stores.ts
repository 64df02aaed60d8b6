import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStorage, type Storage, type StorageOptions } from "@portcullis/server/storage";
import { Client } from "pg";
import { type PostgresServer, startPostgres, superuser } from "../../../portcullis/test/postgres/postgres-server.ts";

/** Stores of one kind for the tests; each as empty as a new installation. */
export interface TestStores {
  /** Where a new one is; nothing is open yet. */
  place(): Promise<StorageOptions>;
  open(): Promise<Storage>;
  /** Closes what was opened, and takes everything away. */
  stop(): Promise<void>;
}

/** Folders of their own. */
export function embeddedStores(): Promise<TestStores> {
  const root = mkdtempSync(join(tmpdir(), "portcullis-storage-"));
  const opened: Storage[] = [];
  const place = () => Promise.resolve({ folder: join(root, randomUUID()) });
  return Promise.resolve({
    place,
    async open() {
      const storage = await openStorage(await place());
      opened.push(storage);
      return storage;
    },
    async stop() {
      await Promise.all(opened.map((storage) => storage.close()));
      rmSync(root, { recursive: true, force: true });
    },
  });
}

/** Databases of one server, owned by a login role that is no superuser. */
export async function postgresStores(): Promise<TestStores & { readonly server: PostgresServer }> {
  const server = await startPostgres();
  const opened: Storage[] = [];
  const role = "identity_server";
  await asSuperuser(server, `create role ${role} login`);
  async function place() {
    const database = `d_${randomUUID().replaceAll("-", "")}`;
    await asSuperuser(server, `create database ${database} owner ${role}`);
    return { postgres: { ...server.as(role), database } };
  }
  return {
    server,
    place,
    async open() {
      const storage = await openStorage(await place());
      opened.push(storage);
      return storage;
    },
    async stop() {
      await Promise.all(opened.map((storage) => storage.close()));
      await server.stop();
    },
  };
}

/** One statement as who may do everything, in the server's own database or another. */
export async function asSuperuser(server: PostgresServer, statement: string, database?: string): Promise<void> {
  const client = new Client({ ...server.as(superuser), ...(database === undefined ? {} : { database }) });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
