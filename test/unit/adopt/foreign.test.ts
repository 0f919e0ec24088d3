/** Backup jobs of somebody else's: what is plain is taken over, what is not is named, and a secret never leaves. */
import { describe, expect, it } from "vitest";
import type { Fields } from "../../../src/adopt/found.ts";
import { readPolicySet } from "../../../src/policy/read.ts";
import { processorMs } from "../processor-time.ts";
import {
  adopted,
  cronJob,
  errorsOf,
  everythingOf,
  location,
  policiesOf,
  schemas,
  script,
  secretVariable,
} from "./objects.ts";

const carried = " | aws s3 cp - s3://dumps/shop/x --region eu-central-1";

describe("adopting foreign jobs", () => {
  it.each<[string, Fields, Fields]>([
    [
      "pg_dump with flags",
      script(`pg_dump -Fc -h db -p 5433 -U app shop${carried}`, [secretVariable("PGPASSWORD")]),
      {
        component: "postgresql",
        connection: {
          host: "db.shop.svc",
          port: 5433,
          user: "app",
          passwordFrom: { env: "NIGHTLY_PASSWORD" },
        },
      },
    ],
    [
      "pg_dump with variables",
      script(`pg_dump > /tmp/x && aws s3 cp /tmp/x "s3://\${BUCKET}/$(date +%F)"`, [
        ...[
          { name: "PGHOST", value: "pg.data.svc" },
          { name: "PGUSER", value: "app" },
        ],
        { name: "BUCKET", value: "dumps" },
      ]),
      { component: "postgresql", connection: { host: "pg.data.svc", user: "app" } },
    ],
    [
      "pg_dump with an address",
      script(`exec timeout 60 pg_dump "postgresql://app:$PW@db.example.org:5432/shop"${carried}`, [
        secretVariable("PW"),
      ]),
      { component: "postgresql", connection: { host: "db.example.org", port: 5432, user: "app" } },
    ],
    [
      "an image that does it by variables",
      {
        image: "docker.io/someone/postgres-backup-s3:16",
        env: [
          ...[
            { name: "POSTGRES_HOST", value: "db" },
            { name: "POSTGRES_USER", value: "app" },
          ],
          ...[
            { name: "S3_BUCKET", value: "dumps" },
            { name: "S3_ENDPOINT", value: "https://s3.example.org" },
          ],
          secretVariable("POSTGRES_PASSWORD"),
        ],
      },
      { component: "postgresql", connection: { host: "db.shop.svc" } },
    ],
    [
      "WAL-G",
      {
        command: ["wal-g", "backup-push", "/data"],
        env: [
          ...[
            { name: "WALG_S3_PREFIX", value: "s3://dumps/pg" },
            { name: "PGHOST", value: "db" },
          ],
          { name: "PGUSER", value: "backup" },
        ],
      },
      { component: "postgresql", connection: { user: "backup" } },
    ],
    [
      "redis-cli",
      script(`redis-cli -h cache --tls -a "$REDIS_PASSWORD" --rdb /tmp/x\nmc cp /tmp/x s3/dumps/redis`, [
        secretVariable("REDIS_PASSWORD"),
        { name: "MC_HOST_s3", value: "https://k:CANARY@minio.example.org" },
      ]),
      {
        component: "redis",
        connection: { host: "cache.shop.svc", tls: true, passwordFrom: { env: "NIGHTLY_PASSWORD" } },
      },
    ],
    [
      "mongodump with an address",
      script(
        `mongodump --uri="mongodb://u:CANARY@m1:27018,m2:27018/?replicaSet=rs0&authSource=admin" --archive${carried}`,
      ),
      {
        component: "mongodb",
        connection: {
          host: "m1.shop.svc",
          port: 27_018,
          user: "u",
          replicaSet: "rs0",
          authDatabase: "admin",
        },
      },
    ],
    [
      "clickhouse-backup",
      {
        image: "altinity/clickhouse-backup:2",
        command: ["clickhouse-backup", "create_remote"],
        env: [
          ...[
            { name: "CLICKHOUSE_HOST", value: "ch" },
            { name: "CLICKHOUSE_PORT", value: "9000" },
          ],
          { name: "S3_BUCKET", value: "dumps" },
        ],
      },
      { component: "clickhouse", connection: { host: "ch.shop.svc", nativePort: 9000 } },
    ],
    [
      "a raft snapshot",
      script(`bao operator raft snapshot save /tmp/s${"\n"}aws s3 cp /tmp/s s3://dumps/vault`, [
        { name: "BAO_ADDR", value: "https://vault.shop.svc:8200" },
        secretVariable("BAO_TOKEN", "token"),
      ]),
      {
        component: "secrets",
        connection: { vaultAddress: "https://vault.shop.svc:8200", tokenFrom: { env: "NIGHTLY_TOKEN" } },
      },
    ],
    [
      "a mirror of buckets",
      script("mc mirror --remove a/models b/models-dr", [
        { name: "MC_HOST_a", value: "https://k:CANARY@minio.shop.svc:9000" },
        { name: "MC_HOST_b", value: "https://k:CANARY@s3.example.org" },
      ]),
      { component: "s3", connection: { endpoint: "https://minio.shop.svc:9000", bucket: "models" } },
    ],
    [
      "rclone",
      script("rclone sync a:models b:models-dr", [
        ...[
          { name: "RCLONE_CONFIG_A_TYPE", value: "s3" },
          { name: "RCLONE_CONFIG_B_TYPE", value: "s3" },
        ],
        { name: "RCLONE_CONFIG_A_ENDPOINT", value: "https://minio.shop.svc" },
      ]),
      { component: "s3", connection: { endpoint: "https://minio.shop.svc", bucket: "models" } },
    ],
    [
      "velero backup",
      {
        image: "velero/velero:v1",
        command: [
          "velero",
          "backup",
          "create",
          "x",
          "-n",
          "velero",
          "--include-namespaces",
          "shop,lab",
          "--ttl",
          "240h",
        ],
      },
      {
        component: "kubernetes",
        capture: { method: "velero", options: { includedNamespaces: ["shop", "lab"], ttl: "240h" } },
      },
    ],
  ])("proposes a policy for %s, which lints", (_what, container, wanted) => {
    const adoption = adopted({ cronJobs: [cronJob(container)], locations: [location()] });
    expect(adoption.notAdopted).toEqual([]);
    expect(errorsOf(adoption)).toEqual([]);
    const [policy, ...others] = policiesOf(adoption);
    expect(others).toEqual([]);
    expect(policy).toMatchObject(wanted);
    expect(adoption.policies).toMatchObject([
      { kind: "proposed", from: "CronJob shop/nightly", stillRuns: { what: "CronJob shop/nightly" } },
    ]);
    expect(everythingOf(adoption)).not.toContain("CANARY");
  });

  it("takes cron, zone and bucket over, and a key of a Secret by name", () => {
    const container = script(`pg_dump -h db -U app x${carried}`, [secretVariable("PGPASSWORD", "pw")]);
    const adoption = adopted({ cronJobs: [cronJob(container)] });
    const { set } = readPolicySet(adoption.files, schemas);
    expect(set.policies[0]).toMatchObject({
      schedule: { cron: "30 1 * * *", timeZone: "Europe/Berlin" },
      encryption: { recipients: ["runner", "escrow"] },
      store: { name: "dumps", prefix: "holdfast/nightly/" },
    });
    expect(set.stores).toMatchObject([
      { bucket: "dumps", region: "eu-central-1", endpoint: "https://s3.eu-central-1.amazonaws.com" },
    ]);
    expect(adoption.policies[0]?.findings).toContain(
      "give the runs NIGHTLY_PASSWORD: the job takes it from key 'pw' of Secret shop/credentials",
    );
  });

  it.each<[string, Fields, Fields, RegExp]>([
    ["no bucket", script("pg_dump -h db -U app x > /backup/x"), {}, /where its bytes go/],
    ["a host that comes at run time", script(`pg_dump -h $(hostname) -U app x${carried}`), {}, /runs only/],
    ["no user", script(`pg_dump -h db x${carried}`), {}, /the user/],
    [
      "the pod's own server",
      script(`redis-cli -h 127.0.0.1 bgsave${carried}`),
      {},
      /inside the job's own pod/,
    ],
    ["a suspended job", script(`pg_dump -h db -U app x${carried}`), { suspend: true }, /suspended/],
    [
      "no schedule to read",
      script(`pg_dump -h db -U app x${carried}`),
      { schedule: "every day" },
      /a schedule that comes/,
    ],
    ["servers in DNS", script(`mongodump --uri mongodb+srv://c.example.org/x${carried}`), {}, /DNS/],
    [
      "a mirror of a folder",
      script("mc mirror /data s3/x", [{ name: "MC_HOST_s3", value: "https://s3.example.org" }]),
      {},
      /two buckets/,
    ],
    [
      "a schedule of Velero's",
      script("velero backup create --from-schedule daily"),
      {},
      /one of Velero's schedules/,
    ],
    ["a name and nothing else", { image: "x", command: ["/run.sh"] }, {}, /commands are none/],
  ])("does not adopt %s, and says what lacks", (_what, container, spec, words) => {
    const adoption = adopted({ cronJobs: [cronJob(container, spec, "backup")], locations: [location()] });
    expect([adoption.files, adoption.policies]).toEqual([[], []]);
    expect(adoption.notAdopted).toMatchObject([{ what: "CronJob shop/backup" }]);
    expect(adoption.notAdopted[0]?.reason).toMatch(words);
  });

  it("proposes nothing in the clear: without keys a job is named and left", () => {
    const adoption = adopted(
      { cronJobs: [cronJob(script(`pg_dump -h db -U app x${carried}`))] },
      { recipients: {} },
    );
    expect(adoption.files).toEqual([]);
    expect(adoption.notAdopted[0]?.reason).toMatch(/holdfast key new/);
  });

  it("passes over what is no backup", () => {
    const jobs = [
      "echo hello",
      "psql -h db -c 'vacuum'",
      "redis-cli -h cache info",
      "aws s3 ls",
      "mc ls a/b",
    ];
    const adoption = adopted({ cronJobs: jobs.map((text, n) => cronJob(script(text), {}, `job-${n}`)) });
    expect([adoption.policies, adoption.notAdopted]).toEqual([[], []]);
  });

  it.each<[string, Fields, Fields?]>([
    ["an argument", script(`redis-cli -h cache -a CANARY --rdb /tmp/x${carried}`)],
    ["an argument glued to its flag", script(`mongodump -h m -u app -pCANARY --archive${carried}`)],
    ["a variable", script(`pg_dump -h db -U app x${carried}`, [{ name: "PGPASSWORD", value: "CANARY" }])],
    ["an assignment", script(`PGPASSWORD=CANARY pg_dump -h db -U app x${carried}`)],
    ["an export", script(`export PGPASSWORD='CANARY'\npg_dump -h db -U app x${carried}`)],
    ["an address", script(`pg_dump postgres://app:CANARY@db/x${carried}`)],
    [
      "an address of a variable",
      script(`mongodump${carried}`, [{ name: "MONGO_URI", value: "mongodb://a:CANARY@m/x" }]),
    ],
    [
      "an endpoint",
      script(
        `pg_dump -h db -U app x | aws --endpoint-url https://k:CANARY@s3.example.org s3 cp - s3://dumps/x`,
      ),
    ],
    ["a word in the place of a user", script(`pg_dump -h db -U "CANARY secret" x${carried}`)],
    ["a word in the place of a host", script(`pg_dump -h "CANARY!" -U app x${carried}`)],
    [
      "a job whose schedule cannot be read",
      script(`redis-cli -h cache -a CANARY --rdb /tmp/x${carried}`),
      { schedule: "nightly" },
    ],
    ["a script nobody knows", script("backup-now --key CANARY")],
  ])("never lets a secret out: %s", (_what, container, spec = {}) => {
    const adoption = adopted({ cronJobs: [cronJob(container, spec, "backup")] });
    expect([...adoption.policies, ...adoption.notAdopted]).toHaveLength(1);
    expect(everythingOf(adoption)).not.toContain("CANARY");
    expect(errorsOf(adoption)).toEqual([]);
  });

  it.each<[string, Fields]>([
    ["nothing", {}],
    ["no metadata", { spec: cronJob(script("pg_dump"))["spec"] }],
    ["lists for maps", { metadata: [], spec: [] }],
    ["no template", { metadata: { name: "backup", namespace: "shop" }, spec: { schedule: "0 1 * * *" } }],
    ["numbers for texts", cronJob({ image: 7, command: [1, {}, null], args: "x", env: {} }, {}, "backup")],
    ["a script of a megabyte", cronJob(script(`pg_dump ${"-x ".repeat(350_000)}`), {}, "backup")],
    ["a million words", cronJob({ command: ["pg_dump", ...Array(1_000_000).fill("-x")] }, {}, "backup")],
    ["unclosed quotes", cronJob(script(`pg_dump -h "db -U 'app $( ( \${`), {}, "backup")],
    [
      "many containers",
      cronJob(
        {},
        { jobTemplate: { spec: { template: { spec: { containers: Array(5000).fill({}) } } } } },
        "backup",
      ),
    ],
    ["a name that is a command for a terminal", cronJob(script("pg_dump"), {}, "\u001b[2Jbackup\n- x")],
  ])("survives %s", (_what, object) => {
    const startedAtMs = processorMs();
    const adoption = adopted({ cronJobs: [object] });
    expect(adoption.files).toEqual([]);
    expect(everythingOf(adoption)).not.toMatch(/\u001b/);
    expect(processorMs() - startedAtMs).toBeLessThan(2000);
  });

  it("gives two jobs of one name two names, two prefixes and one store", () => {
    const one = cronJob(script(`pg_dump -h db -U app x${carried}`));
    const other = { ...one, metadata: { name: "nightly", namespace: "lab" } };
    const long = { ...one, metadata: { name: `${"a.".repeat(40)}b`, namespace: "lab" } };
    const adoption = adopted({ cronJobs: [one, other, long] });
    expect(errorsOf(adoption)).toEqual([]);
    expect(
      policiesOf(adoption)
        .map((p) => p.name)
        .sort(),
    ).toEqual(["a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a", "nightly", "shop-nightly"]);
    expect(new Set(policiesOf(adoption).map((p) => p.store.prefix)).size).toBe(3);
  });

  it("adopts into a folder a second time: what is there is used, and no file has a name that is taken", () => {
    const dump = (bucket: string) => script(`pg_dump -h db -U app x | aws s3 cp - s3://${bucket}/x`);
    const one = cronJob(dump("dumps"), {}, "adopted-stores");
    const first = adopted({ cronJobs: [one] });
    expect(errorsOf(first)).toEqual([]);
    expect(new Set(first.files.map((f) => f.path)).size).toBe(first.files.length);
    const others = [
      cronJob(dump("dumps"), {}, "second"),
      cronJob(dump("others"), { schedule: "0 0 1 1 *" }, "third"),
    ];
    const again = adopted({ cronJobs: [one, ...others] }, { existing: first.files });
    expect(errorsOf(again)).toEqual([]);
    const names = again.files.map((f) => f.path);
    expect(names).toEqual(expect.arrayContaining(["second.yaml", "third.yaml"]));
    expect(names.filter((name) => first.files.some((f) => f.path === name))).toEqual([]);
    expect(names.some((name) => /key|checklist/.test(name))).toBe(false);
    const { set } = readPolicySet([...first.files, ...again.files], schemas);
    expect(set.policies.map((p) => [p.name, p.store.name]).sort()).toEqual([
      ["adopted-stores", "dumps"],
      ["second", "dumps"],
      ["third", "others"],
    ]);
  });

  it("proposes a job once: the next adoption into the folder knows it", () => {
    const cronJobs = [cronJob(script(`pg_dump -h db -U app x${carried}`))];
    const first = adopted({ cronJobs });
    const again = adopted({ cronJobs }, { existing: first.files });
    expect(again.files).toEqual([]);
    expect(again.notAdopted).toMatchObject([{ reason: "a policy is about it already" }]);
  });
});
