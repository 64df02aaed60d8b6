/**
 * What the short examples of docs/identity.md take for granted. Only the compiler looks at it; nothing here ever runs.
 */
import type { Identity } from "@portcullis/server/identity";
import type { Storage } from "@portcullis/server/storage";
import type { Api } from "portcullis";

export declare const api: Api;
export declare const identity: Identity;
export declare const storage: Storage;
export declare const origin: string;
export declare const secret: string;
export declare const clientSecret: string;
export declare const other: string;
export declare const provider: {
  send(mail: {
    readonly from: string;
    readonly to: string;
    readonly subject: string;
    readonly text: string;
  }): Promise<void>;
};
