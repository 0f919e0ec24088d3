/**
 * Secrets that stand in the text, comments and faulty documents included: what is committed once has to be
 * changed, whatever a parser makes of it. Found by the shape of the value. The value is never repeated.
 */
import type { Finding, Severity } from "../finding.ts";
import { locationAt } from "../policy/text.ts";

interface SecretRule {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
}

interface Shape extends SecretRule {
  /** Group 1 is the secret. Flags d, g. */
  readonly pattern: RegExp;
  /** Cheap test that lets most texts pass without the pattern. */
  readonly mark: RegExp;
  readonly what: string;
}

const shapes: readonly Shape[] = [
  {
    id: "secret/cloud-key",
    severity: "error",
    title: "an access key of a cloud in the text",
    mark: /A[KS]IA[A-Z0-9]|gh[pousr]_|xox[bp]-/,
    pattern: /\b((?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36,}|xox[bp]-[A-Za-z0-9-]{20,})\b/dg,
    what: "an access key",
  },
  {
    id: "secret/private-key",
    severity: "error",
    title: "a private key in the text",
    mark: /PRIVATE KEY|AGE-SECRET-KEY/i,
    pattern: /(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----|AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{10,})/dgi,
    what: "a private key",
  },
  {
    id: "secret/url-password",
    severity: "error",
    title: "a password in a URL",
    mark: /:\/\/[^\s/@:]{0,100}:[^\s/@]{1,200}@/,
    pattern: /:\/\/[^\s/@:"']{0,100}:([^\s/@"']{1,200})@/dg,
    what: "a password",
  },
  {
    id: "secret/plain-value",
    severity: "error",
    title: "a field that holds a secret itself",
    mark: /(?:pass|secret|token|api_?key|access_?key)/i,
    pattern:
      /(?:^|[\s{,])["']?(?:password|passwd|passphrase|secretAccessKey|secret|sessionToken|token|apiKey|api_key|accessKeyId|privateKey)["']?:[ \t]+["']?([^\s{}[\],"'#|>&*][^\s,}"']{2,})/dgm,
    what: "a secret",
  },
];

export const secretRules: readonly SecretRule[] = shapes;

/** Every secret of a text, by shape; the pointed-at range is the secret, the message does not repeat it. */
export function* plainSecrets(file: string, text: string): Generator<Finding> {
  for (const shape of shapes) {
    if (!shape.mark.test(text)) continue;
    for (const match of text.matchAll(shape.pattern)) {
      const [from, to] = match.indices?.[1] ?? [match.index, match.index + 1];
      yield {
        rule: shape.id,
        severity: shape.severity,
        location: locationAt(file, text, from, to),
        message: `${shape.what} stands here in the clear (${to - from} characters)`,
        hint: "git never forgets: change it now, then name where it is found with env or file",
      };
    }
  }
}
