/** The Go packages of the stable API surface, and what they are called elsewhere. */
export interface ApiPackage {
  /** Directory below the root of the unpacked sources. */
  readonly dir: string;
  readonly files: readonly string[];
  /** Prefix of OpenAPI definition names. */
  readonly openapi: string;
  readonly group: string;
  readonly version: string;
  /** File name of the TypeScript types. */
  readonly module: string;
}

const API: readonly (readonly [dir: string, group: string, version: string])[] = [
  ["core", "", "v1"],
  ["apps", "apps", "v1"],
  ["batch", "batch", "v1"],
  ["autoscaling", "autoscaling", "v1"],
  ["autoscaling", "autoscaling", "v2"],
  ["policy", "policy", "v1"],
  ["networking", "networking.k8s.io", "v1"],
  ["discovery", "discovery.k8s.io", "v1"],
  ["events", "events.k8s.io", "v1"],
  ["coordination", "coordination.k8s.io", "v1"],
  ["node", "node.k8s.io", "v1"],
  ["scheduling", "scheduling.k8s.io", "v1"],
  ["rbac", "rbac.authorization.k8s.io", "v1"],
  ["authentication", "authentication.k8s.io", "v1"],
  ["authorization", "authorization.k8s.io", "v1"],
  ["certificates", "certificates.k8s.io", "v1"],
  ["admissionregistration", "admissionregistration.k8s.io", "v1"],
  ["admission", "admission.k8s.io", "v1"],
  ["flowcontrol", "flowcontrol.apiserver.k8s.io", "v1"],
  ["storage", "storage.k8s.io", "v1"],
  ["resource", "resource.k8s.io", "v1"],
  ["apidiscovery", "apidiscovery.k8s.io", "v2"],
];

export const PACKAGES: readonly ApiPackage[] = [
  {
    dir: "apimachinery/pkg/apis/meta/v1",
    files: ["types.go", "group_version.go"],
    openapi: "io.k8s.apimachinery.pkg.apis.meta.v1",
    group: "meta.k8s.io",
    version: "v1",
    module: "meta-v1",
  },
  ...API.map(([dir, group, version]) => ({
    dir: `api/${dir}/${version}`,
    files: ["types.go"],
    openapi: `io.k8s.api.${dir}.${version}`,
    group,
    version,
    module: `${dir}-${version}`,
  })),
  {
    dir: "apiextensions-apiserver/pkg/apis/apiextensions/v1",
    files: ["types.go", "types_jsonschema.go"],
    openapi: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    group: "apiextensions.k8s.io",
    version: "v1",
    module: "apiextensions-v1",
  },
  {
    dir: "",
    files: [],
    openapi: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
    group: "apiregistration.k8s.io",
    version: "v1",
    module: "apiregistration-v1",
  },
];

/** APIService is published in no package that this generator reads: its shape as the API reference documents it. */
export const APIREGISTRATION = `
// +enum
type ConditionStatus string
type APIServiceConditionType string
type ServiceReference struct {
	// +optional
	Namespace string \`json:"namespace,omitempty" protobuf:"bytes,1,opt,name=namespace"\`
	// +optional
	Name string \`json:"name,omitempty" protobuf:"bytes,2,opt,name=name"\`
	// +optional
	Port *int32 \`json:"port,omitempty" protobuf:"varint,3,opt,name=port"\`
}
type APIServiceSpec struct {
	// +optional
	Service *ServiceReference \`json:"service,omitempty" protobuf:"bytes,1,opt,name=service"\`
	Group string \`json:"group,omitempty" protobuf:"bytes,2,opt,name=group"\`
	Version string \`json:"version,omitempty" protobuf:"bytes,3,opt,name=version"\`
	InsecureSkipTLSVerify bool \`json:"insecureSkipTLSVerify,omitempty" protobuf:"varint,4,opt,name=insecureSkipTLSVerify"\`
	// +listType=atomic
	// +optional
	CABundle []byte \`json:"caBundle,omitempty" protobuf:"bytes,5,opt,name=caBundle"\`
	GroupPriorityMinimum int32 \`json:"groupPriorityMinimum" protobuf:"varint,7,opt,name=groupPriorityMinimum"\`
	VersionPriority int32 \`json:"versionPriority" protobuf:"varint,8,opt,name=versionPriority"\`
}
type APIServiceCondition struct {
	Type APIServiceConditionType \`json:"type" protobuf:"bytes,1,opt,name=type"\`
	Status string \`json:"status" protobuf:"bytes,2,opt,name=status"\`
	// +optional
	LastTransitionTime metav1.Time \`json:"lastTransitionTime,omitempty" protobuf:"bytes,3,opt,name=lastTransitionTime"\`
	// +optional
	Reason string \`json:"reason,omitempty" protobuf:"bytes,4,opt,name=reason"\`
	// +optional
	Message string \`json:"message,omitempty" protobuf:"bytes,5,opt,name=message"\`
}
type APIServiceStatus struct {
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []APIServiceCondition \`json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,1,rep,name=conditions"\`
}
type APIService struct {
	metav1.TypeMeta \`json:",inline"\`
	// +optional
	metav1.ObjectMeta \`json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"\`
	Spec APIServiceSpec \`json:"spec,omitempty" protobuf:"bytes,2,opt,name=spec"\`
	Status APIServiceStatus \`json:"status,omitempty" protobuf:"bytes,3,opt,name=status"\`
}
type APIServiceList struct {
	metav1.TypeMeta \`json:",inline"\`
	// +optional
	metav1.ListMeta \`json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"\`
	Items []APIService \`json:"items" protobuf:"bytes,2,rep,name=items"\`
}
`;
