export { jsonReport } from "./reporters/json.ts";
export { progressLine } from "./reporters/progress.ts";
export { type TableOptions, tableReport } from "./reporters/table.ts";
