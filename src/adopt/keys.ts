/** Whom proposed backups are encrypted to: the keys that were given, or those the folder has already. */
import { apiVersion, type KeyRecipient } from "../policy/model.ts";

/** Public halves to encrypt to, as the command line gives them. */
export interface Recipients {
  readonly runner?: string;
  readonly escrow?: string;
}

type Role = KeyRecipient["role"];

export class Keys {
  readonly #known: readonly KeyRecipient[];
  readonly #given: Recipients;
  #isUsed = false;

  constructor(known: readonly KeyRecipient[], given: Recipients) {
    this.#known = known;
    this.#given = given;
  }

  /** Names to encrypt to; undefined where no key is known. */
  names(): readonly string[] | undefined {
    const { runner, escrow } = this.#given;
    if (runner !== undefined) return [this.#nameOf("runner", runner), ...this.#escrowNames(escrow)];
    const roles = (["runner", "escrow"] as const).flatMap(
      (role) => this.#known.find((key) => key.role === role)?.name ?? [],
    );
    return roles.length === 2 ? roles : undefined;
  }

  /** Some policy encrypts to them. */
  use(): void {
    this.#isUsed = true;
  }

  /** A key ring of those that are in none yet; undefined where there are none, or nobody encrypts to them. */
  document(name: string): object | undefined {
    const keys = (["runner", "escrow"] as const).flatMap((role) => {
      const recipient = this.#given[role];
      if (recipient === undefined || this.#isKnown(recipient)) return [];
      return [{ name: this.#nameOf(role, recipient), recipient, role }];
    });
    if (!this.#isUsed || keys.length === 0) return undefined;
    return { apiVersion, kind: "KeyRing", metadata: { name }, keys };
  }

  #escrowNames(escrow: string | undefined): readonly string[] {
    return escrow === undefined ? [] : [this.#nameOf("escrow", escrow)];
  }

  #isKnown(recipient: string): boolean {
    return this.#known.some((key) => key.recipient === recipient);
  }

  #nameOf(role: Role, recipient: string): string {
    const same = this.#known.find((key) => key.recipient === recipient);
    if (same !== undefined) return same.name;
    return this.#known.some((key) => key.name === role) ? `adopted-${role}` : role;
  }
}
