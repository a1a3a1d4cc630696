import type {
  LimitedPriorityLevelConfiguration,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
} from "#machinery/api/flowcontrol-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors, requiredEnum } from "../validation.ts";

export const PriorityLevelConfigurationKind = defineKind<PriorityLevelConfiguration>({
  group: "flowcontrol.apiserver.k8s.io",
  version: "v1",
  kind: "PriorityLevelConfiguration",
  plural: "prioritylevelconfigurations",
  scope: "Cluster",
  typeName: "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Type", "Whether requests are limited or exempt.", ({ spec }) => spec?.type ?? ""),
    column(
      "NominalConcurrencyShares",
      "Share of the server's concurrency.",
      ({ spec }) => spec?.limited?.nominalConcurrencyShares ?? spec?.exempt?.nominalConcurrencyShares ?? NONE,
    ),
    column("Queues", "Number of queues.", ({ spec }) => spec?.limited?.limitResponse?.queuing?.queues ?? NONE),
    column("HandSize", "Number of queues a flow may use.", ({ spec }) => spec?.limited?.limitResponse?.queuing?.handSize ?? NONE),
    column("QueueLengthLimit", "Requests a queue may hold.", ({ spec }) => spec?.limited?.limitResponse?.queuing?.queueLengthLimit ?? NONE),
    ageColumn,
  ],
  strategy: {
    ...ownStatus<PriorityLevelConfiguration>({}),
    generation: "spec",
    default: (level) => ({ ...level, spec: defaultSpec(level.spec) }),
    validate: ({ metadata, spec }) => validateSpec(metadata.name ?? "", spec),
  },
});

function defaultSpec(spec: PriorityLevelConfigurationSpec): PriorityLevelConfigurationSpec {
  const { limited, exempt } = spec;
  if (spec.type === "Exempt") {
    return {
      ...spec,
      exempt: { ...exempt, nominalConcurrencyShares: exempt?.nominalConcurrencyShares ?? 0, lendablePercent: exempt?.lendablePercent ?? 0 },
    };
  }
  return limited === undefined ? spec : { ...spec, limited: defaultLimited(limited) };
}

function defaultLimited(limited: LimitedPriorityLevelConfiguration): LimitedPriorityLevelConfiguration {
  const queuing = limited.limitResponse?.queuing;
  return {
    ...limited,
    nominalConcurrencyShares: limited.nominalConcurrencyShares ?? 30,
    lendablePercent: limited.lendablePercent ?? 0,
    ...(limited.limitResponse === undefined || queuing === undefined
      ? {}
      : {
          limitResponse: {
            ...limited.limitResponse,
            queuing: {
              queues: queuing.queues || 64,
              handSize: queuing.handSize || 8,
              queueLengthLimit: queuing.queueLengthLimit || 50,
            },
          },
        }),
  };
}

function validateSpec(name: string, spec: PriorityLevelConfigurationSpec): Errors {
  const errors: FieldError[] = [...requiredEnum(spec.type, ["Exempt", "Limited"], "spec.type")];
  if ((name === "exempt") !== (spec.type === "Exempt")) {
    errors.push(invalidField("spec.type", spec.type, "type must be 'Exempt' if and only if name is 'exempt'"));
  }
  if (spec.type === "Exempt" && spec.limited !== undefined) {
    errors.push(forbiddenField("spec.limited", "must be nil if the type is not Limited"));
  }
  if (spec.type !== "Limited") return errors;
  if (spec.limited === undefined) return [...errors, requiredField("spec.limited", "must not be empty when type is Limited")];
  return [...errors, ...validateLimited(spec.limited)];
}

function validateLimited({
  nominalConcurrencyShares,
  lendablePercent,
  borrowingLimitPercent,
  limitResponse,
}: LimitedPriorityLevelConfiguration): Errors {
  const errors: FieldError[] = [];
  const path = "spec.limited";
  if (nominalConcurrencyShares !== undefined && nominalConcurrencyShares < 0) {
    errors.push(invalidField(`${path}.nominalConcurrencyShares`, nominalConcurrencyShares, "must be a non-negative integer"));
  }
  if (lendablePercent !== undefined && (lendablePercent < 0 || lendablePercent > 100)) {
    errors.push(invalidField(`${path}.lendablePercent`, lendablePercent, "must be between 0 and 100, inclusive"));
  }
  if (borrowingLimitPercent !== undefined && borrowingLimitPercent < 0) {
    errors.push(invalidField(`${path}.borrowingLimitPercent`, borrowingLimitPercent, "if specified, must be a non-negative integer"));
  }
  const { type = "", queuing } = limitResponse ?? {};
  const at = `${path}.limitResponse`;
  errors.push(...requiredEnum(type, ["Queue", "Reject"], `${at}.type`));
  if (type === "Reject" && queuing !== undefined)
    errors.push(forbiddenField(`${at}.queuing`, "must be nil if limited.limitResponse.type is not Limited"));
  if (type !== "Queue") return errors;
  if (queuing === undefined)
    return [...errors, requiredField(`${at}.queuing`, "must not be empty if limited.limitResponse.type is Limited")];
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  for (const [field, value] of Object.entries({ queueLengthLimit, queues, handSize })) {
    if (value <= 0) errors.push(invalidField(`${at}.queuing.${field}`, value, "must be positive"));
  }
  if (handSize > queues) {
    errors.push(invalidField(`${at}.queuing.handSize`, handSize, `should not be greater than queues (${queues})`));
  }
  return errors;
}
