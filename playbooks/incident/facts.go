package incident

// Facts are everything that a policy sees of a case. A fact that was not
// obtained has only unknown fields, each with the reason.
type Facts struct {
	Alert    Alert    `json:"alert"`
	Endpoint Endpoint `json:"endpoint"`
	Process  Process  `json:"process"`
	Traffic  Traffic  `json:"traffic"`
	Baseline Baseline `json:"baseline"`
	Asset    Asset    `json:"asset"`
}

// FactNames lists the facts that a playbook's enrich can ask for, in the order
// in which people are shown them. The alert is always there.
func FactNames() []string {
	return []string{"endpoint", "process", "traffic", "baseline", "asset"}
}

// Missing is one value that a decision would have needed.
type Missing struct {
	Path string `json:"path"` // such as baseline.p99
	Why  string `json:"why,omitempty"`
}
