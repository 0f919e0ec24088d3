/**
 * GitHub's own description of its REST API, as a judge of requests and answers and as a source of examples.
 * @see https://github.com/octokit/openapi
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";

type Json = Record<string, unknown>;

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Json;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly unknown[];
  readonly requestBody?: { readonly content?: Json };
  readonly responses: Json;
}

export interface FoundOperation {
  readonly id: string;
  /** Values from the path, decoded. */
  readonly path: Readonly<Record<string, string>>;
  /** What of the request the description does not allow; empty for nothing. */
  requestFaults(query: URLSearchParams, body: unknown): readonly string[];
  /** What of the answer the description does not allow; empty for nothing. */
  answerFaults(status: number, body: unknown): readonly string[];
}

export interface GithubDescription {
  /** Undefined where GitHub has no such operation. */
  find(method: string, path: string): FoundOperation | undefined;
  /** A copy of the example under that name. */
  example(name: string): Json;
}

/** Any operation may be refused with these, described or not. */
const refusals = new Set([401, 403, 404, 429, 500, 502, 503]);

let loaded: GithubDescription | undefined;

/** Read once per process: it has some 12 MB. */
export function githubDescription(): GithubDescription {
  loaded ??= load();
  return loaded;
}

function load(): GithubDescription {
  const file = createRequire(import.meta.url).resolve("@octokit/openapi/generated/api.github.com.json");
  const document = JSON.parse(readFileSync(file, "utf8"), withoutNullable) as Json;
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true, logger: false });
  (addFormats as unknown as (ajv: Ajv) => void)(ajv);
  ajv.addFormat("uri-template", true);
  ajv.addSchema(document, "github");
  const compiled = new Map<string, ValidateFunction>();
  const errorsOf = (pointer: string, value: unknown): readonly string[] => {
    let validate = compiled.get(pointer);
    if (validate === undefined) {
      validate = ajv.compile({ $ref: `github#${pointer}` });
      compiled.set(pointer, validate);
    }
    return validate(value) ? [] : (validate.errors ?? []).map(textOf);
  };
  const resolve = (value: unknown): Json => {
    const reference = (value as { $ref?: string }).$ref;
    return reference === undefined ? (value as Json) : (at(document, reference.slice(1)) as Json);
  };
  const paths = Object.keys(document["paths"] as Json).map((template) => ({
    template,
    names: [...template.matchAll(/\{([^}]+)\}/g)].map((m) => m[1] as string),
    pattern: new RegExp(
      `^${template.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{[^}]+\}/g, "([^/]+)")}$`,
    ),
  }));
  return {
    example: (name) => structuredClone(at(document, `/components/examples/${name}/value`)) as Json,
    find(method, path) {
      const verb = method.toLowerCase();
      const hits = paths.flatMap((p) => {
        const match = p.pattern.exec(path);
        const has = (at(document, `/paths/${pointerPart(p.template)}`) as Json)[verb] !== undefined;
        return match === null || !has ? [] : [{ ...p, match }];
      });
      // The one with the fewest placeholders is meant.
      const hit = hits.sort((a, b) => a.names.length - b.names.length)[0];
      if (hit === undefined) return undefined;
      const pointer = `/paths/${pointerPart(hit.template)}/${verb}`;
      const operation = at(document, pointer) as unknown as Operation;
      const values = Object.fromEntries(
        hit.names.map((name, i) => [name, decodeURIComponent(hit.match[i + 1] ?? "")]),
      );
      const parameters = (operation.parameters ?? []).map(resolve) as unknown as Parameter[];
      return {
        id: operation.operationId,
        path: values,
        requestFaults: (query, body) => [
          ...parameterFaults(parameters, values, query),
          ...bodyFaults(operation, pointer, body, errorsOf, resolve),
        ],
        answerFaults: (status, body) => answerFaults(operation, pointer, status, body, errorsOf, resolve),
      };
    },
  };
}

/** OpenAPI 3.0 says `nullable` where JSON Schema, as later OpenAPI, has a type of its own. */
function withoutNullable(_: string, value: unknown): unknown {
  if ((value as Json | null)?.["nullable"] !== true) return value;
  const { nullable, ...rest } = value as Json;
  return { anyOf: [{ type: "null" }, rest] };
}

type ErrorsOf = (pointer: string, value: unknown) => readonly string[];

function parameterFaults(
  parameters: readonly Parameter[],
  values: Readonly<Record<string, string>>,
  query: URLSearchParams,
): readonly string[] {
  const faults: string[] = [];
  for (const name of query.keys()) {
    if (!parameters.some((p) => p.in === "query" && p.name === name))
      faults.push(`no query parameter '${name}'`);
  }
  for (const parameter of parameters) {
    if (parameter.in === "header") continue;
    const text = parameter.in === "path" ? values[parameter.name] : (query.get(parameter.name) ?? undefined);
    if (text === undefined) {
      if (parameter.required === true) faults.push(`'${parameter.name}' is missing`);
      continue;
    }
    const { type, enum: allowed, maximum } = parameter.schema as Json;
    if (type === "integer" && !/^\d+$/.test(text))
      faults.push(`'${parameter.name}' is no integer: '${text}'`);
    if (typeof maximum === "number" && Number(text) > maximum)
      faults.push(`'${parameter.name}' is over ${maximum}`);
    if (Array.isArray(allowed) && !allowed.map(String).includes(text))
      faults.push(`'${parameter.name}' is none of ${allowed.join(", ")}: '${text}'`);
    if (parameter.name === "per_page" && Number(text) > 100) faults.push("'per_page' is over 100");
  }
  return faults;
}

function bodyFaults(
  operation: Operation,
  pointer: string,
  body: unknown,
  errorsOf: ErrorsOf,
  resolve: (value: unknown) => Json,
): readonly string[] {
  const content = operation.requestBody?.content;
  if (content === undefined) return body === undefined ? [] : ["this request takes no body"];
  if (body === undefined) return (operation.requestBody as Json)["required"] === true ? ["no body"] : [];
  const faults = errorsOf(`${pointer}/requestBody/content/application~1json/schema`, body);
  const { properties } = resolve((content["application/json"] as Json)["schema"]);
  // GitHub ignores what it does not know, so a misspelt field would never be noticed.
  const unknown =
    properties === undefined || typeof body !== "object" || body === null || Array.isArray(body)
      ? []
      : Object.keys(body).filter((name) => !(name in (properties as Json)));
  return [...faults, ...unknown.map((name) => `no field '${name}'`)];
}

function answerFaults(
  operation: Operation,
  pointer: string,
  status: number,
  body: unknown,
  errorsOf: ErrorsOf,
  resolve: (value: unknown) => Json,
): readonly string[] {
  const described = operation.responses[String(status)];
  if (described === undefined) {
    if (!refusals.has(status)) return [`${operation.operationId} never answers ${status}`];
    return status < 500 ? errorsOf("/components/schemas/basic-error", body) : [];
  }
  const reference = (described as { $ref?: string }).$ref;
  const place = reference === undefined ? `${pointer}/responses/${status}` : reference.slice(1);
  const content = resolve(described)["content"] as Json | undefined;
  if (content?.["application/json"] === undefined)
    return body === undefined ? [] : [`${operation.operationId} answers ${status} without a body`];
  return errorsOf(`${place}/content/application~1json/schema`, body);
}

function textOf({ instancePath, message, params }: ErrorObject): string {
  return `${instancePath || "/"} ${message} ${JSON.stringify(params)}`;
}

function pointerPart(template: string): string {
  return encodeURI(template.replaceAll("~", "~0").replaceAll("/", "~1"));
}

function at(document: Json, pointer: string): unknown {
  return pointer
    .split("/")
    .slice(1)
    .reduce<unknown>(
      (value, part) => (value as Json)[decodeURI(part).replaceAll("~1", "/").replaceAll("~0", "~")],
      document,
    );
}
