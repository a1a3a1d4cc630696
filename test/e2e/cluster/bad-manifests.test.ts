import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Kubectl, type TestCluster, openCluster, send } from "./harness.ts";

/** Request bodies go to the server as they are: kubectl would find some of these mistakes by itself. */
describe("bad manifests get upstream's Status, and the server goes on", () => {
  let cluster: TestCluster;
  let kubectl: Kubectl;
  beforeAll(async () => {
    cluster = await openCluster({ nodes: 1 });
    ({ kubectl } = cluster);
    return () => cluster[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    expect(await send(cluster.url, cluster.credentials, { path: "/readyz" })).toMatchObject({ code: 200, text: "ok" });
    expect(await kubectl.ok("create configmap after -o name")).toBe("configmap/after\n");
    await kubectl.ok("delete configmap after");
  });

  const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
  const PODS = "/api/v1/namespaces/default/pods";
  const SERVICES = "/api/v1/namespaces/default/services";
  const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";

  async function post(path: string, body: unknown, contentType = "application/json") {
    const text = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const answer = await send(cluster.url, cluster.credentials, { method: "POST", path, body: text, contentType });
    return { ...answer, status: JSON.parse(answer.text) as Record<string, unknown> };
  }

  /** A failure's Status, whole but for its details. */
  const failure = (code: number, reason: string, message: string) => ({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    code,
    reason,
    message,
  });

  const pod = (name: string, spec: Record<string, unknown> = {}) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { containers: [{ name: "main", image: "kubia" }], ...spec },
  });
  const deployment = (spec: Record<string, unknown>) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: { template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "kubia" }] } }, ...spec },
  });
  const service = (port: unknown) => ({ apiVersion: "v1", kind: "Service", metadata: { name: "web" }, spec: { ports: [{ port }] } });

  test("an unknown field", async () => {
    const body = pod("unknown", { containerz: [] });
    const strict = await post(`${PODS}?fieldValidation=Strict`, body);
    expect(strict.code).toBe(400);
    expect(strict.status).toEqual(
      failure(400, "BadRequest", 'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.containerz"'),
    );
    const warned = await post(`${PODS}?dryRun=All`, body);
    expect(warned.code).toBe(201);
    expect(warned.headers["warning"]).toBe('299 - "unknown field \\"spec.containerz\\""');
    expect(warned.text).not.toContain("containerz");
    expect((await post(`${PODS}?dryRun=All&fieldValidation=Ignore`, body)).headers["warning"]).toBeUndefined();
    expect(await kubectl.fails("apply -f -", { input: JSON.stringify(body) })).toBe(
      'Error from server (BadRequest): error when creating "STDIN": Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.containerz"\n',
    );
    expect((await post(`${PODS}?fieldValidation=Severe`, body)).status).toMatchObject({ code: 422, reason: "Invalid" });
  });

  test("a field twice", async () => {
    const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"a":"1"},"data":{"a":"2"}}';
    expect((await post(`${CONFIG_MAPS}?fieldValidation=Strict`, body)).status).toEqual(
      failure(
        400,
        "BadRequest",
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data"',
      ),
    );
  });

  test("a wrong type", async () => {
    expect((await post(DEPLOYMENTS, deployment({ replicas: "three" }))).status).toEqual(
      failure(
        400,
        "BadRequest",
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
      ),
    );
    expect(await kubectl.fails("create -f -", { input: JSON.stringify(deployment({ replicas: "three" })) })).toBe(
      'Error from server (BadRequest): error when creating "STDIN": Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32\n',
    );
    expect((await post(PODS, pod("typed", { containers: "none" }))).status).toMatchObject({
      code: 400,
      message:
        'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container',
    });
    expect(
      (await post(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "typed" }, data: { port: 80 } })).status,
    ).toMatchObject({
      code: 400,
      message:
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
    });
    expect(
      (await post(PODS, pod("quantity", { containers: [{ name: "a", image: "b", resources: { limits: { cpu: "a lot" } } }] }))).status,
    ).toMatchObject({
      code: 400,
      message:
        "Pod in version \"v1\" cannot be handled as a Pod: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    });
  });

  test("a missing selector", async () => {
    const { status } = await post(DEPLOYMENTS, deployment({}));
    const mismatch = 'Invalid value: {"app":"web"}: `selector` does not match template `labels`';
    expect(status).toEqual({
      ...failure(
        422,
        "Invalid",
        `Deployment.apps "web" is invalid: [spec.selector: Required value, spec.template.metadata.labels: ${mismatch}]`,
      ),
      details: {
        name: "web",
        group: "apps",
        kind: "Deployment",
        causes: [
          { reason: "FieldValueRequired", message: "Required value", field: "spec.selector" },
          { reason: "FieldValueInvalid", message: mismatch, field: "spec.template.metadata.labels" },
        ],
      },
    });
    expect(await kubectl.fails("create -f -", { input: JSON.stringify(deployment({})) })).toBe(
      `The Deployment "web" is invalid: \n* spec.selector: Required value\n* spec.template.metadata.labels: ${mismatch}\n`,
    );
    const other = deployment({ selector: { matchLabels: { app: "api" } } });
    expect(await kubectl.fails("create -f -", { input: JSON.stringify(other) })).toBe(
      `The Deployment "web" is invalid: spec.template.metadata.labels: ${mismatch}\n`,
    );
  });

  test("a bad port", async () => {
    const range = "Invalid value: 70000: must be between 1 and 65535, inclusive"; // twice: the target port is the port unless given
    expect((await post(SERVICES, service(70000))).status).toEqual({
      ...failure(422, "Invalid", `Service "web" is invalid: [spec.ports[0].port: ${range}, spec.ports[0].targetPort: ${range}]`),
      details: {
        name: "web",
        kind: "Service",
        causes: ["spec.ports[0].port", "spec.ports[0].targetPort"].map((field) => ({ reason: "FieldValueInvalid", message: range, field })),
      },
    });
    expect((await post(SERVICES, service("http"))).status).toMatchObject({
      code: 400,
      message:
        'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32',
    });
    const nodePort = { ...service(80), spec: { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] } };
    expect((await post(SERVICES, nodePort)).status).toMatchObject({
      code: 422,
      message:
        'Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
    });
    const container = pod("port", { containers: [{ name: "main", image: "kubia", ports: [{ containerPort: 0 }] }] });
    expect((await post(PODS, container)).status).toMatchObject({
      code: 422,
      message: 'Pod "port" is invalid: spec.containers[0].ports[0].containerPort: Required value',
    });
  });

  test("a bad name", async () => {
    const rule =
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    const named = (name: string | undefined) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
    expect((await post(CONFIG_MAPS, named("Bad_Name"))).status).toMatchObject(
      failure(422, "Invalid", `ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": ${rule}`),
    );
    expect((await post(CONFIG_MAPS, named(undefined))).status).toMatchObject(
      failure(422, "Invalid", 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'),
    );
    expect((await post(CONFIG_MAPS, named("x".repeat(254)))).status).toMatchObject({
      code: 422,
      message: `ConfigMap "${"x".repeat(254)}" is invalid: metadata.name: Invalid value: "${"x".repeat(254)}": must be no more than 253 characters`,
    });
    expect((await post(SERVICES, { ...service(80), metadata: { name: "Web" } })).status).toMatchObject({
      code: 422,
      message:
        "Service \"Web\" is invalid: metadata.name: Invalid value: \"Web\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    });
    const elsewhere = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "other" } };
    expect((await post(CONFIG_MAPS, elsewhere)).status).toEqual(
      failure(400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"),
    );
  });

  test("a body of 4 MB", async () => {
    const big = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "big" }, data: { fill: "x".repeat(4 * 1024 * 1024) } };
    expect((await post(CONFIG_MAPS, big)).status).toEqual(
      failure(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
    );
    expect(await kubectl.fails("create -f -", { input: JSON.stringify(big) })).toBe(
      'Error from server (RequestEntityTooLarge): error when creating "STDIN": Request entity too large: limit is 3145728\n',
    );
    const half = { ...big, data: { fill: "x".repeat(1024 * 1024 + 1) } };
    expect((await post(CONFIG_MAPS, half)).status).toMatchObject({
      code: 422,
      message: 'ConfigMap "big" is invalid: []: Too long: may not be more than 1048576 bytes',
    });
  });

  test("broken YAML", async () => {
    const yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: broken\n data: {\n";
    const { status } = await post(CONFIG_MAPS, yaml, "application/yaml");
    expect(status).toMatchObject({ kind: "Status", code: 400, reason: "BadRequest" });
    expect(status["message"]).toMatch(
      /^the object provided is unrecognized \(must be of type ConfigMap\): .*yaml: line \d+: .* \(6170695665/,
    );
    expect(await kubectl.fails("create -f -", { input: yaml })).toMatch(
      /^error: error parsing STDIN: error converting YAML to JSON: yaml: /,
    );
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from("bcdefghi")
      .map((name, i) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]`)
      .join("\n")}\n`;
    expect((await post(CONFIG_MAPS, `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n${bomb}`, "application/yaml")).code).toBe(
      400,
    );
  });

  test("truncated JSON, an empty body, no JSON at all", async () => {
    const refused = (why: string) => failure(400, "BadRequest", `the object provided is unrecognized (must be of type ConfigMap): ${why}`);
    expect((await post(CONFIG_MAPS, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"na')).status).toEqual(
      refused('couldn\'t get version/kind; json parse error: unexpected end of JSON input ({"apiVersion":"v1","kind":"Con ...)'),
    );
    expect((await post(CONFIG_MAPS, "")).status).toMatchObject({ code: 400, reason: "BadRequest" });
    expect((await post(CONFIG_MAPS, "hello")).status).toEqual(
      refused("couldn't get version/kind; json parse error: invalid character 'h' looking for beginning of value (68656c6c6f)"),
    );
    const deep = `{"apiVersion":"v1","kind":"ConfigMap","metadata":${'{"a":'.repeat(20_000)}1${"}".repeat(20_001)}`;
    expect((await post(CONFIG_MAPS, deep)).code).toBe(400);
    expect((await post(CONFIG_MAPS, Buffer.from([0x6b, 0x38, 0x73, 0x00, 0xff, 0xff]), "application/vnd.kubernetes.protobuf")).code).toBe(
      400,
    );
  });

  test("the wrong kind, version, media type, method or path", async () => {
    expect((await post(CONFIG_MAPS, pod("odd"))).status).toMatchObject({ code: 400, reason: "BadRequest" });
    expect((await post(DEPLOYMENTS, { ...deployment({}), apiVersion: "apps/v1beta1" })).status).toMatchObject({ code: 400 });
    expect((await post(CONFIG_MAPS, "x=1", "text/plain")).status).toMatchObject({ code: 415, reason: "UnsupportedMediaType" });
    expect((await post("/api/v1/namespaces/default/nothings", {})).status).toEqual({
      ...failure(404, "NotFound", "the server could not find the requested resource"),
      details: {},
    });
    expect((await post(`${CONFIG_MAPS}/named`, {})).status).toMatchObject({ code: 405, reason: "MethodNotAllowed" });
    expect(await kubectl.fails("create -f -", { input: "apiVersion: v9\nkind: Thing\nmetadata: {name: x}" })).toBe(
      'error: resource mapping not found for name: "x" namespace: "" from "STDIN": no matches for kind "Thing" in version "v9"\nensure CRDs are installed first\n',
    );
  });
});
