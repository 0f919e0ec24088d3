/** Objects as YAML, for people and for kubectl. */
import { stringify } from "yaml";

/** One document, without a leading `---`; long lines stay lines. */
export function writeYaml(value: object): string {
  return stringify(value, { lineWidth: 0 });
}
