import type { SelfSubjectReview, TokenReview } from "#machinery/api/authentication-v1.ts";
import type { SelfSubjectRulesReview, SubjectAccessReview } from "#machinery/api/authorization-v1.ts";
import { type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import type { KubeObject } from "#machinery/object.ts";
import { badRequest, invalid } from "#machinery/status.ts";
import type { Attributes } from "../auth/authorize.ts";
import { InvalidTokenError } from "../auth/service-account-tokens.ts";
import { MASTERS, type User } from "../auth/user.ts";
import { readObject } from "../http/body.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { plainAnswer } from "../represent.ts";
import type { Resource } from "../resource.ts";
import type { VerbHandler } from "../router.ts";
import type { Served } from "../served.ts";

type Review = (served: Served, exchange: Exchange, resource: Resource, object: KubeObject) => Promise<object>;

/** Questions that are answered and not stored. */
export const REVIEWS: readonly (readonly [string, VerbHandler])[] = [
  ["selfsubjectaccessreviews.authorization.k8s.io", answering(selfSubjectAccess)],
  ["subjectaccessreviews.authorization.k8s.io", answering(subjectAccess)],
  ["localsubjectaccessreviews.authorization.k8s.io", answering(localSubjectAccess)],
  ["selfsubjectrulesreviews.authorization.k8s.io", answering(selfSubjectRules)],
  ["selfsubjectreviews.authentication.k8s.io", answering(selfSubject)],
  ["tokenreviews.authentication.k8s.io", answering(tokenReview)],
];

function answering(review: Review): VerbHandler {
  return async (served, exchange, resource) => {
    const object = await readObject(served, exchange, resource.kind);
    const status = await review(served, exchange, resource, object);
    return plainAnswer(exchange, { ...object, status }, 201) satisfies Answer;
  };
}

type AccessSpec = Partial<SubjectAccessReview["spec"]>;

function selfSubjectAccess(served: Served, { user }: Exchange, { kind }: Resource, object: KubeObject): Promise<object> {
  const spec = specOf<AccessSpec>(object);
  checkSpec(kind, attributeErrors(spec));
  return decide(served, user, spec);
}

function subjectAccess(served: Served, _exchange: Exchange, { kind }: Resource, object: KubeObject): Promise<object> {
  const spec = specOf<AccessSpec>(object);
  checkSpec(kind, [...attributeErrors(spec), ...subjectErrors(spec)]);
  return decide(served, subjectOf(spec), spec);
}

function localSubjectAccess(served: Served, { info }: Exchange, { kind }: Resource, object: KubeObject): Promise<object> {
  const spec = specOf<AccessSpec>(object);
  const errors = [...attributeErrors(spec), ...subjectErrors(spec)];
  const namespace = spec.resourceAttributes?.namespace ?? "";
  if (namespace !== info.namespace) {
    errors.push(invalidField("spec.resourceAttributes.namespace", namespace, "must match metadata.namespace"));
  }
  if (spec.nonResourceAttributes !== undefined) {
    errors.push(invalidField("spec.nonResourceAttributes", spec.nonResourceAttributes, "disallowed on this kind of request"));
  }
  checkSpec(kind, errors);
  return decide(served, subjectOf(spec), spec);
}

async function decide(served: Served, user: User, spec: AccessSpec): Promise<object> {
  const { allowed, reason } = await served.authorize(attributesIn(user, spec));
  return { allowed, ...(reason === "" ? {} : { reason }) };
}

function attributesIn(user: User, { resourceAttributes: r, nonResourceAttributes: n }: AccessSpec): Attributes {
  return {
    user,
    verb: r?.verb ?? n?.verb ?? "",
    isResource: r !== undefined,
    group: r?.group ?? "",
    version: r?.version ?? "",
    resource: r?.resource ?? "",
    subresource: r?.subresource ?? "",
    namespace: r?.namespace ?? "",
    name: r?.name ?? "",
    path: n?.path ?? "",
  };
}

function subjectOf({ user = "", groups = [], uid, extra }: AccessSpec): User {
  return { name: user, groups, ...(uid === undefined ? {} : { uid }), ...(extra === undefined ? {} : { extra }) };
}

function attributeErrors({ resourceAttributes, nonResourceAttributes }: AccessSpec): FieldError[] {
  if (resourceAttributes !== undefined && nonResourceAttributes !== undefined) {
    return [
      invalidField("spec.nonResourceAttributes", nonResourceAttributes, "cannot be specified in combination with resourceAttributes"),
    ];
  }
  if (resourceAttributes === undefined && nonResourceAttributes === undefined) {
    return [invalidField("spec.resourceAttributes", null, "exactly one of nonResourceAttributes or resourceAttributes must be specified")];
  }
  return [];
}

function subjectErrors({ user = "", groups = [] }: AccessSpec): FieldError[] {
  return user === "" && groups.length === 0 ? [invalidField("spec.user", user, "at least one of user or group must be specified")] : [];
}

function checkSpec(kind: Resource["kind"], errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid(kind, "", errors);
}

async function selfSubjectRules(served: Served, { user }: Exchange, _resource: Resource, object: KubeObject): Promise<object> {
  const { namespace = "" } = specOf<SelfSubjectRulesReview["spec"]>(object);
  if (namespace === "") throw badRequest("no namespace on request");
  const rules = user.groups.includes(MASTERS)
    ? [
        { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
        { verbs: ["*"], nonResourceURLs: ["*"] },
      ]
    : await served.rbac.rulesFor(user, namespace);
  return {
    resourceRules: rules.flatMap((rule) =>
      (rule.resources ?? []).length === 0
        ? []
        : [
            {
              verbs: rule.verbs,
              apiGroups: rule.apiGroups ?? [],
              resources: rule.resources ?? [],
              ...("resourceNames" in rule && rule.resourceNames !== undefined ? { resourceNames: rule.resourceNames } : {}),
            },
          ],
    ),
    nonResourceRules: rules.flatMap((rule) =>
      (rule.nonResourceURLs ?? []).length === 0 ? [] : [{ verbs: rule.verbs, nonResourceURLs: rule.nonResourceURLs ?? [] }],
    ),
    incomplete: false,
  };
}

function selfSubject(_served: Served, { user }: Exchange): Promise<object> {
  return Promise.resolve({ userInfo: userInfo(user) } satisfies SelfSubjectReview["status"]);
}

async function tokenReview(served: Served, _exchange: Exchange, { kind }: Resource, object: KubeObject): Promise<object> {
  const { token = "", audiences = [] } = specOf<TokenReview["spec"]>(object);
  if (token === "") throw invalid(kind, "", [requiredField("spec.token", "token is required for TokenReview in authentication")]);
  const wanted = audiences.length === 0 ? [served.tokens.apiAudience] : audiences;
  try {
    const verdict = await served.tokens.verify(token, wanted);
    if (verdict !== undefined) return { authenticated: true, user: userInfo(verdict.user), audiences: verdict.audiences };
    const user = await served.bootstrapUser(token);
    if (user !== undefined) return { authenticated: true, user: userInfo(user), audiences: wanted };
    return { user: {} };
  } catch (cause) {
    if (cause instanceof InvalidTokenError) return { user: {}, error: `[invalid bearer token, ${cause.message}]` };
    throw cause;
  }
}

function userInfo({ name, uid, groups, extra }: User) {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function specOf<T extends object>(object: KubeObject): Partial<T> {
  const { spec } = object as KubeObject & { readonly spec?: Partial<T> };
  return spec ?? {};
}
