import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { developmentCertificate } from "portcullis/node";

/** A certificate for this process; its folder is gone again when it returns. */
export function certificate(): Certificate {
  return (made ??= make());
}

type Certificate = ReturnType<typeof developmentCertificate>;

let made: Certificate | undefined;

function make(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), "matrix-"));
  try {
    return developmentCertificate({ folder: join(folder, "certificate") });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
