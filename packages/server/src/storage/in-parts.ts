/**
 * A list in parts that fit into a statement each, however long it is: SQLite takes 32,766 values at most, PostgreSQL 65,535.
 *
 * @param most  of one part; a row is several values
 */
export function* inParts<T>(list: readonly T[], most = 1000): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += most) yield list.slice(at, at + most);
}
