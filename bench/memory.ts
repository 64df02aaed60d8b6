import { createHash } from "node:crypto";
import { apiKeys, type ApiKeyRecord, type ApiKeyStore, createApi, publicAccess, anyCaller } from "portcullis";
import { z } from "zod";
import { ampleLimit } from "./world.ts";

export {};
