package incident

import "time"

// Role is what a host's traffic looks like, from direction and shape; see
// [Classify].
type Role string

// The closed set of traffic roles.
const (
	Requester   Role = "requester" // drives reflection: many external destinations on amplification ports, little back
	Flooder     Role = "flooder"   // one destination, high rate
	Reflector   Role = "reflector" // answers from an amplification port to many peers, out far above in
	Transfer    Role = "transfer"  // few destinations, large, long
	Discovery   Role = "discovery" // multicast, broadcast, link-local, own subnet
	UnknownRole Role = "unknown"   // traffic of no known shape
)

// Attribution says how well bytes and process were joined.
type Attribution string

// From best to worst.
const (
	Exact       Attribution = "exact"        // 5-tuple, within the corrected clock
	Destination Attribution = "destination"  // address and port only
	ProcessList Attribution = "process_list" // some process was running
	NoneJoined  Attribution = "none"
)

// Coverage says what the flow store's sensors could see.
type Coverage string

// The closed set of coverages.
const (
	BothWays Coverage = "both"
	OneWay   Coverage = "one_way" // volume is unknown, not zero
	Sampled  Coverage = "sampled"
	Disagree Coverage = "disagree" // sensors or counters differ by more than 2×
)

// Traffic is what left a host in a window, as the flow store says.
type Traffic struct {
	BytesOut     Value[int64]         `json:"bytes_out" unit:"size" doc:"Bytes that left the host in the window, sampling applied."`
	BytesIn      Value[int64]         `json:"bytes_in" unit:"size" doc:"Bytes that came back."`
	PacketsOut   Value[int64]         `json:"packets_out" doc:"Packets that left."`
	Flows        Value[int64]         `json:"flows" doc:"Flows that overlap the window."`
	Destinations Value[int64]         `json:"destinations" doc:"Distinct destination addresses."`
	Rate         Value[int64]         `json:"rate" unit:"rate" doc:"Mean egress over the window, bits per second."`
	Top          Value[[]TopFlow]     `json:"top" doc:"The largest destinations, largest first."`
	Window       Value[time.Duration] `json:"window" doc:"The window that was asked for."`
	Coverage     Value[string]        `json:"coverage" doc:"both, one_way, sampled or disagree."`
	Freshness    Value[time.Time]     `json:"freshness" doc:"Time of the newest record in the store up to the window's end, of any host."`
	Role         Value[string]        `json:"role" doc:"requester, flooder, reflector, transfer, discovery or unknown."`
	Attribution  Value[string]        `json:"attribution" doc:"exact, destination, process_list or none: how bytes and process were joined."`
	JoinRate     Value[float64]       `json:"join_rate" doc:"Share of the endpoint's connections that found their flow, 0 to 1."`
	Explained    Value[float64]       `json:"explained" doc:"Share of the bytes that the connections of the process account for, 0 to 1; known only where the attribution is exact."`
	ClockSkew    Value[time.Duration] `json:"clock_skew" doc:"Endpoint clock minus flow clock, the median of the matches."`

	// Sample holds the largest flows with their 5-tuples, for the join with
	// the endpoint's connections. Policies do not see it.
	Sample []Flow `json:"sample,omitempty"`
	// FastClocks are sensors of the store with records of the future, which
	// prove nothing. Policies do not see them.
	FastClocks []FastClock `json:"fast_clocks,omitempty"`
	// Reports is how long after the store's newest record one may still come of what
	// the host sent until then: flows are recorded when they end, or are cut. Policies
	// do not see it.
	Reports time.Duration `json:"reports,omitempty"`
	// Senders are who sent from the host's addresses in the window, where a sensor knows its users, the newest
	// first and [MaxSenders] at most. Policies do not see them: a proxy's user is not the process's.
	Senders []Sender `json:"senders,omitempty"`
	// AtLeast says why volumes are the least that was sent, where the store holds
	// longer flows than it looks for. Policies do not see it.
	AtLeast []string `json:"at_least,omitempty"`
}

// TopFlow is one destination of a host, summed over a window.
type TopFlow struct {
	IP        string `json:"ip" doc:"Destination address."`
	Port      int64  `json:"port" doc:"Destination port."`
	Transport string `json:"transport" doc:"udp, tcp or icmp."`
	Bytes     int64  `json:"bytes" unit:"size" doc:"Bytes sent to it."`
	Packets   int64  `json:"packets" doc:"Packets sent to it."`
	Flows     int64  `json:"flows" doc:"Flows to it."`
	Unseen    bool   `json:"unseen,omitempty" doc:"No sensor saw what was sent to it: bytes and packets are unknown."`
}

// Says reports whether a field, by its name in JSON, was measured.
func (f TopFlow) Says(field string) bool {
	return !f.Unseen || field != "bytes" && field != "packets"
}

// Flow is one flow record. BytesOut is -1 where the sensor could not see that
// direction.
type Flow struct {
	Start    time.Time     `json:"start"` // by the sensor's clock
	Duration time.Duration `json:"duration"`
	Tuple
	BytesOut   int64 `json:"bytes_out" unit:"size"`
	BytesIn    int64 `json:"bytes_in" unit:"size"`
	PacketsOut int64 `json:"packets_out"`
	// Running says that the flow was under way when the window began that was
	// asked for: its connection may be older than the record.
	Running bool `json:"running,omitempty"`
}

// Baseline is what a host normally sends per window.
type Baseline struct {
	Buckets Value[int64] `json:"buckets" doc:"Windows with data behind the baseline, quiet ones included; fewer than 24 make the rest unknown."`
	Median  Value[int64] `json:"median" unit:"size" doc:"Median bytes per window."`
	MAD     Value[int64] `json:"mad" unit:"size" doc:"Median absolute deviation, bytes per window."`
	P95     Value[int64] `json:"p95" unit:"size" doc:"95th percentile, bytes per window."`
	P99     Value[int64] `json:"p99" unit:"size" doc:"99th percentile, bytes per window."`
	Max     Value[int64] `json:"max" unit:"size" doc:"Largest window, bytes."`
}

// MinBaselineBuckets is how many windows a baseline needs. With fewer, its
// percentiles are unknown: p99 of ten windows is their maximum.
const MinBaselineBuckets = 24

// Asset is what the inventory says of a host.
type Asset struct {
	Name        Value[string]   `json:"name" doc:"Name in the inventory."`
	Role        Value[string]   `json:"role" doc:"What the host is: workstation, server, domain_controller, dns, and the other roles."`
	Owner       Value[string]   `json:"owner" doc:"Who answers for it."`
	Criticality Value[string]   `json:"criticality" doc:"The inventory's own word, such as tier1."`
	Site        Value[string]   `json:"site" doc:"Where it stands."`
	Tags        Value[[]string] `json:"tags" doc:"Free labels."`

	// Agents are programs on the host that send for others there. Policies do
	// not see them.
	Agents []string `json:"agents,omitempty"`
}

// Point is egress in one minute, for a chart.
type Point struct {
	At       time.Time `json:"at"`
	BytesOut int64     `json:"bytes_out"`
}
