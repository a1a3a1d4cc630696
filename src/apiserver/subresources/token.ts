import type { TokenRequest } from "#machinery/api/authentication-v1.ts";
import { formatTime } from "#base/clock.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { SecretKind } from "#kinds/core/secret.ts";
import { ServiceAccountKind } from "#kinds/core/service-account.ts";
import { invalidField } from "#machinery/field-error.ts";
import type { KubeObject } from "#machinery/object.ts";
import { badRequest, conflict, invalid, notFound } from "#machinery/status.ts";
import type { BoundTo } from "../auth/service-account-tokens.ts";
import { nodeNameOf } from "../auth/user.ts";
import { forbidden } from "#machinery/status.ts";
import { readTyped } from "../http/body.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { plainAnswer } from "../represent.ts";
import type { Served } from "../served.ts";

const TOKEN_REQUEST = {
  apiVersion: "authentication.k8s.io/v1",
  kind: "TokenRequest",
  typeName: "io.k8s.api.authentication.v1.TokenRequest",
};
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;
/** Clients that renew ask for this much; they get a year, as upstream gives them, so that old ones do not stop working. */
const RENEWED_SECONDS = 3607;
const EXTENDED_SECONDS = 365 * 24 * 3600;

/** POST serviceaccounts/x/token: a signed token for a while, bound to a pod, secret or node where one is named. */
export async function requestToken(served: Served, exchange: Exchange): Promise<Answer> {
  const { info, user } = exchange;
  const request = (await readTyped(served, exchange, TOKEN_REQUEST)) as TokenRequest;
  if ((request.metadata?.name ?? "") !== "" && request.metadata.name !== info.name) {
    throw badRequest(`the name of the object (${request.metadata.name ?? ""}) does not match the name on the URL (${info.name})`);
  }
  const resource = await served.resources.open(ServiceAccountKind);
  await resource.fresh(exchange.signal);
  const account = await served.objects.get(ServiceAccountKind, info.namespace, info.name);
  if (account === undefined) throw notFound({ group: "", plural: "serviceaccounts" }, info.name);

  const { expirationSeconds = 3600, boundObjectRef } = request.spec ?? {};
  const audiences = (request.spec?.audiences ?? []).length === 0 ? [served.tokens.apiAudience] : (request.spec.audiences ?? []);
  const errors = [];
  if (expirationSeconds < MIN_SECONDS) {
    errors.push(invalidField("spec.expirationSeconds", expirationSeconds, "may not specify a duration less than 10 minutes"));
  } else if (expirationSeconds > MAX_SECONDS) {
    errors.push(invalidField("spec.expirationSeconds", expirationSeconds, "may not specify a duration larger than 2^32 seconds"));
  }
  if (errors.length > 0) throw invalid({ group: "authentication.k8s.io", kind: "TokenRequest" }, "", errors);

  const bound = boundObjectRef === undefined ? undefined : await boundObject(served, info.namespace, info.name, boundObjectRef);
  const node = nodeNameOf(user);
  if (node !== undefined && bound?.boundTo.kind !== "Pod") {
    throw forbidden({ group: "", plural: "serviceaccounts" }, info.name, "node requested token not bound to a pod");
  }
  const extended = expirationSeconds === RENEWED_SECONDS && audiences.includes(served.tokens.apiAudience) && bound?.boundTo.kind === "Pod";
  const token = await served.tokens.sign({
    namespace: info.namespace,
    name: info.name,
    uid: account.metadata.uid,
    audiences,
    expirationSeconds: extended ? EXTENDED_SECONDS : expirationSeconds,
    ...bound,
    id: served.entropy.uid(),
  });
  const answer = {
    ...request,
    metadata: { name: info.name, namespace: info.namespace, creationTimestamp: formatTime(served.clock.now()) },
    spec: { ...request.spec, audiences, expirationSeconds },
    status: { token, expirationTimestamp: formatTime(served.clock.now() + expirationSeconds * 1000) },
  };
  return plainAnswer(exchange, answer, 201);
}

interface Bound {
  readonly boundTo: BoundTo;
  readonly node?: { readonly name: string; readonly uid: string };
}

async function boundObject(
  served: Served,
  namespace: string,
  account: string,
  ref: NonNullable<TokenRequest["spec"]["boundObjectRef"]>,
): Promise<Bound> {
  const { kind = "", apiVersion = "", name = "", uid = "" } = ref;
  const gone = (plural: string) => notFound({ group: "", plural }, name);
  const check = (plural: string, found: KubeObject) => {
    const own = found.metadata.uid ?? "";
    if (uid !== "" && uid !== own) {
      throw conflict(
        { group: "", plural },
        name,
        `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    return own;
  };
  if (apiVersion !== "v1" && apiVersion !== "") {
    throw badRequest(`cannot bind token for object type ${JSON.stringify(`${apiVersion}, Kind=${kind}`)}`);
  }
  switch (kind) {
    case "Pod": {
      const pod = await served.objects.get(PodKind, namespace, name);
      if (pod === undefined) throw gone("pods");
      if (pod.spec?.serviceAccountName !== account) {
        throw badRequest(
          `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
        );
      }
      const boundTo: BoundTo = { kind, name, uid: check("pods", pod) };
      const { nodeName = "" } = pod.spec;
      const node = nodeName === "" ? undefined : await served.objects.get(NodeKind, undefined, nodeName);
      return node === undefined ? { boundTo } : { boundTo, node: { name: nodeName, uid: node.metadata.uid } };
    }
    case "Secret": {
      const secret = await served.objects.get(SecretKind, namespace, name);
      if (secret === undefined) throw gone("secrets");
      return { boundTo: { kind, name, uid: check("secrets", secret) } };
    }
    case "Node": {
      const node = await served.objects.get(NodeKind, undefined, name);
      if (node === undefined) throw gone("nodes");
      return { boundTo: { kind, name, uid: check("nodes", node) } };
    }
    default:
      throw badRequest(`cannot bind token for object of type ${JSON.stringify(`/v1, Kind=${kind}`)}`);
  }
}
