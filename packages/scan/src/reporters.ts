export {
  type Baseline,
  type BaselineDefaults,
  type BaselineEntry,
  baselineReasons,
  readBaseline,
  updatedBaseline,
} from "./baseline.ts";
export { type Finding, findingsOf, type FindingGroup, fingerprintOf, groupedFindings } from "./finding.ts";
export { type Fix, fixOf, fixTargets } from "./fixes.ts";
export {
  type Difference,
  exitCodeOf,
  type GoneFinding,
  isClosedBy,
  openFindings,
  type Report,
  type ReportedFinding,
  type ReportOptions,
  reportOf,
} from "./report.ts";
export { badgeReport } from "./reporters/badge.ts";
export { htmlReport } from "./reporters/html.ts";
export { jsonReport } from "./reporters/json.ts";
export { junitReport } from "./reporters/junit.ts";
export { endLine, startLine, verdictLine } from "./reporters/lines.ts";
export { type MarkdownOptions, markdownReport } from "./reporters/markdown.ts";
export { progressLine } from "./reporters/progress.ts";
export { type SarifOptions, sarifReport } from "./reporters/sarif.ts";
export { type TableOptions, tableReport } from "./reporters/table.ts";
export { type Score, scoreFormula, scoresOf } from "./score.ts";
export { isAtLeast, severities, severityOf } from "./severity.ts";
export { jsonText, visible, wrapped } from "./reporters/text.ts";
