/** A ConfigMap that is only replaced in the version that was looked at, so that a late writer cannot turn it back. */
import { HoldfastError } from "../../errors.ts";
import { isRefusal, type KubeClient } from "./client.ts";
import { pathOf } from "./holders.ts";
import { fieldOwner, ourLabels } from "./objects/names.ts";
import type { KubeObject } from "./objects/shapes.ts";

/** Asks for what an object is called and which version it has, without its content. */
const metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

export class GuardedConfigMap {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #name: string;
  /** Empty: it was not there. */
  #version: string | undefined;

  constructor(client: KubeClient, namespace: string, name: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#name = name;
  }

  /** Reads it, or only its version; from now on a write is one on top of this version. */
  async look(what: "content" | "version"): Promise<KubeObject | undefined> {
    try {
      const found = await this.#client.request<KubeObject>(
        "GET",
        `${pathOf("ConfigMap", this.#namespace)}/${this.#name}`,
        what === "version" ? { accept: metadataOnly } : {},
      );
      this.#version = found.metadata.resourceVersion ?? "";
      return found;
    } catch (error) {
      if (!isRefusal(error, 404)) throw error;
      this.#version = "";
      return undefined;
    }
  }

  /** @throws plan-stale when somebody has written it since the look */
  async write(content: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.#version === undefined) await this.look("version");
    const version = this.#version ?? "";
    const path = pathOf("ConfigMap", this.#namespace);
    const body = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: this.#name,
        namespace: this.#namespace,
        labels: ourLabels,
        ...(version === "" ? {} : { resourceVersion: version }),
      },
      ...content,
    };
    const query = { fieldManager: fieldOwner };
    try {
      const written =
        version === ""
          ? await this.#client.request<KubeObject>("POST", path, { query, body })
          : await this.#client.request<KubeObject>("PUT", `${path}/${this.#name}`, { query, body });
      this.#version = written.metadata.resourceVersion ?? "";
    } catch (error) {
      if (!isRefusal(error, 409) && !isRefusal(error, 404)) throw error;
      throw new HoldfastError("plan-stale", `ConfigMap '${this.#name}' has changed since it was observed`, {
        cause: error,
      });
    }
  }
}
