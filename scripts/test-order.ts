import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Few lines that take long: begun last, as their size would have it, they would be waited for alone. */
const long = [
  "tests/gate-and-probe",
  "tests/next",
  "tests/exported-tests",
  "tests/identity-examples",
  "tests/matrix",
  "tests/openapi",
  "tests/own-limits",
  "server/test/identity/pages",
  "server/test/identity/uniformity",
  "server/test/identity/soak",
  "server/test/identity/probes",
  "server/test/storage/opening",
  "cli/test/keys",
  "cli/test/outputs",
  "cli/test/interrupt",
  "scan/test/rate-limit",
  "scan/test/holes",
  "scan/test/more-situations",
  "scan/test/broken-targets",
  "scan/test/windows",
  "scan/test/injected",
  "scan/test/profile",
  "portcullis/test/lib/explain",
  "portcullis/test/redis/redis-limiter.contract",
].map((name) => `${name}.test.ts`);

/** Vitest's order, but what takes long first. */
export default class TestOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => long.some((name) => moduleId.endsWith(`/${name}`));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
