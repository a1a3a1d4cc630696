import type { Pod } from "#machinery/api/core-v1.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";
import { badRequest, invalid, notFound } from "#machinery/status.ts";
import { type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { kubeletAttachPath, kubeletExecPath, kubeletLogPath, kubeletPortForwardPath } from "#streaming/kubelet-path.ts";
import { attributesOf, forbiddenFor } from "../auth/authorize.ts";
import { bytesAnswer } from "../http/answer.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { isTrue } from "../http/request-info.ts";
import { forwardRequest, forwardUpgrade } from "../proxy/forward.ts";
import { kubeletTarget } from "../proxy/target.ts";
import type { Served } from "../served.ts";

/** GET pods/x/log, streamed from the pod's node. */
export async function podLog(served: Served, exchange: Exchange): Promise<Answer> {
  const pod = await podOf(served, exchange);
  const query = logQuery(exchange);
  const container = containerOf(pod, exchange.query.get("container") ?? "");
  const { nodeName = "" } = pod.spec ?? {};
  if (nodeName === "") return bytesAnswer(200, "text/plain", new Uint8Array(0));
  const target = await kubeletTarget(served.kubelet, nodeName);
  const { name, namespace = "" } = pod.metadata;
  const path = kubeletLogPath({ namespace, pod: name, container }, query);
  if (exchange.upgrade !== undefined) return forwardUpgrade(exchange, target, path, served.clock);
  return forwardRequest(exchange, target, { path, checked: true });
}

const LOG_OPTIONS = ["follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes", "stream"];

/** The options under their own names, checked as upstream checks PodLogOptions. */
function logQuery({ query }: Exchange): URLSearchParams {
  const errors: FieldError[] = [];
  const whole = (field: string, least: number, why: string) => {
    const text = query.get(field);
    if (text === null || text === "") return;
    if (!/^-?[0-9]+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    if (Number(text) < least) errors.push(invalidField(field, Number(text), why));
  };
  whole("tailLines", 0, "must be greater than or equal to 0");
  whole("limitBytes", 1, "must be greater than 0");
  whole("sinceSeconds", 1, "must be greater than 0");
  if (query.has("sinceSeconds") && query.has("sinceTime")) {
    errors.push(forbiddenField("", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
  }
  if (errors.length > 0) throw invalid({ group: "", kind: "PodLogOptions" }, "", errors);
  const kept = new URLSearchParams();
  for (const name of LOG_OPTIONS) {
    const value = query.get(name);
    if (value !== null && value !== "") kept.set(name, value);
  }
  return kept;
}

/** GET or POST pods/x/exec. */
export async function podExec(served: Served, exchange: Exchange): Promise<Answer> {
  const { query } = exchange;
  const command = query.getAll("command");
  const streams = streamsOf(query);
  const errors: FieldError[] = [];
  if (command.length === 0) errors.push(requiredField("command"));
  checkStreams(exchange, "PodExecOptions", streams, errors);
  const { target, container, pod } = await streamTarget(served, exchange);
  return forwardUpgrade(exchange, target, kubeletExecPath({ ...pod, container }, { ...streams, command }), served.clock);
}

/** GET or POST pods/x/attach. */
export async function podAttach(served: Served, exchange: Exchange): Promise<Answer> {
  const streams = streamsOf(exchange.query);
  checkStreams(exchange, "PodAttachOptions", streams, []);
  const { target, container, pod } = await streamTarget(served, exchange);
  return forwardUpgrade(exchange, target, kubeletAttachPath({ ...pod, container }, streams), served.clock);
}

/** GET or POST pods/x/portforward. */
export async function podPortForward(served: Served, exchange: Exchange): Promise<Answer> {
  await mayUpgrade(served, exchange);
  const pod = await podOf(served, exchange);
  const target = await kubeletTarget(served.kubelet, hostOf(pod));
  const ports = exchange.query.getAll("ports").flatMap((text) => text.split(",").map(Number));
  const { name, namespace = "" } = pod.metadata;
  return forwardUpgrade(exchange, target, kubeletPortForwardPath({ namespace, pod: name }, ports), served.clock);
}

interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

function streamsOf(query: URLSearchParams): Streams {
  const on = (name: string) => isTrue(query.get(name));
  return { stdin: on("stdin"), stdout: on("stdout"), stderr: on("stderr"), tty: on("tty") };
}

function checkStreams({ info }: Exchange, kind: string, { stdin, stdout, stderr }: Streams, errors: FieldError[]): void {
  if (!stdin && !stdout && !stderr) errors.push(requiredField("", "must specify at least one of stdin, stdout, stderr"));
  if (errors.length > 0) throw invalid({ group: "", kind }, info.name, errors);
}

async function streamTarget(served: Served, exchange: Exchange) {
  await mayUpgrade(served, exchange);
  const pod = await podOf(served, exchange);
  const container = containerOf(pod, exchange.query.get("container") ?? "");
  const target = await kubeletTarget(served.kubelet, hostOf(pod));
  const { name, namespace = "" } = pod.metadata;
  return { target, container, pod: { namespace, pod: name } };
}

/** A WebSocket is a GET, but it does what POST does: whoever opens one must be allowed to create. */
async function mayUpgrade(served: Served, exchange: Exchange): Promise<void> {
  if (exchange.info.verb !== "get") return;
  const attributes = { ...attributesOf(exchange), verb: "create" };
  const { allowed, reason } = await served.authorize(attributes);
  if (!allowed) throw forbiddenFor(attributes, reason);
}

async function podOf(served: Served, { info, signal }: Exchange): Promise<Stored<Pod>> {
  const pods = await served.resources.open(PodKind);
  await pods.fresh(signal);
  const pod = await served.objects.get(PodKind, info.namespace, info.name);
  if (pod === undefined) throw notFound({ group: "", plural: "pods" }, info.name);
  return pod;
}

function hostOf(pod: Stored<Pod & KubeObject>): string {
  const { nodeName = "" } = pod.spec ?? {};
  if (nodeName === "") throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return nodeName;
}

/** The container asked for, or the only one. */
function containerOf(pod: Stored<Pod>, asked: string): string {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
  if (asked !== "") {
    if (![...names(containers), ...names(initContainers), ...names(ephemeralContainers)].includes(asked)) {
      throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
    }
    return asked;
  }
  const [only] = containers;
  if (only !== undefined && containers.length === 1) return only.name;
  let message = `a container name must be specified for pod ${pod.metadata.name}`;
  if (containers.length > 0) message += `, choose one of: [${names(containers).join(" ")}]`;
  if (initContainers.length > 0) message += ` or one of the init containers: [${names(initContainers).join(" ")}]`;
  throw badRequest(message);
}
