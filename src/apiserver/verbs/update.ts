import { badRequest, invalid } from "#machinery/status.ts";
import { invalidField } from "#machinery/field-error.ts";
import { readObject } from "../http/body.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { objectAnswer } from "../represent.ts";
import type { Resource } from "../resource.ts";
import type { Served } from "../served.ts";
import { mainRules, updateEntry, type UpdateRules } from "./update-entry.ts";
import { checkNamespace, writeContextOf } from "./write-options.ts";

/** PUT of the whole object: 200, or 201 for the kinds that PUT may create. */
export async function updateObject(
  served: Served,
  exchange: Exchange,
  resource: Resource,
  rules: UpdateRules = mainRules(resource.kind),
): Promise<Answer> {
  const { info } = exchange;
  const { kind } = resource;
  const context = writeContextOf(exchange, "UpdateOptions");
  const object = checkNamespace(resource, info.namespace, await readObject(served, exchange, kind));
  const { name = "", resourceVersion = "" } = object.metadata;
  if (name === "") throw badRequest("name must be provided");
  if (name !== info.name) throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`);
  const create = kind.strategy.createOnUpdate === true && rules.subresource === "";
  if (kind.strategy.unconditionalUpdate === false && resourceVersion === "" && !create) {
    throw invalid(kind, name, [invalidField("metadata.resourceVersion", 0, "must be specified for an update")]);
  }
  const { entry, created } = await updateEntry(
    served,
    resource,
    {
      namespace: info.namespace,
      name,
      rules,
      build: () => object,
      ...(create ? { missing: async () => object } : {}),
    },
    context,
  );
  return objectAnswer(exchange, resource, entry, served.clock.now(), created ? 201 : 200);
}
