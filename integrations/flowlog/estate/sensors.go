package estate

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Sensor records what leaves at one exit.
type Sensor struct {
	Name string        `json:"name"`
	Kind string        `json:"kind"` // firewall, probe, proxy, router, gateway or cloud
	Site string        `json:"site"`
	Exit incident.Exit `json:"exit"`
	// Sampling is n where one packet of n is counted.
	Sampling int64 `json:"sampling"`
	// Ahead is by how much its clock is wrong.
	Ahead time.Duration `json:"ahead"`
	// Single reports whether it records each direction by itself.
	Single bool `json:"single"`
	// Names reports whether it says who sent.
	Names bool `json:"names"`
}

// The sensors, by their place in the list.
const (
	fwZurich = iota
	probeZurich
	proxyZurich
	fwBoston
	routerSingapore
	routerLab
	gatewayVPN
	vpcCloud
	noSensor = -1
)

// ahead is by how much the gateway's clock is wrong: more than flows of sensors with right
// clocks may differ.
const ahead = 7 * time.Minute

func sensors() []Sensor {
	return []Sensor{
		fwZurich:        {Name: "fw-zurich", Kind: "firewall", Site: Zurich, Exit: incident.ExitDirect, Sampling: 1},
		probeZurich:     {Name: "probe-zurich", Kind: "probe", Site: Zurich, Exit: incident.ExitDirect, Sampling: 1},
		proxyZurich:     {Name: "proxy-zurich", Kind: "proxy", Site: Zurich, Exit: incident.ExitProxy, Sampling: 1, Names: true},
		fwBoston:        {Name: "fw-boston", Kind: "firewall", Site: Boston, Exit: incident.ExitDirect, Sampling: 1},
		routerSingapore: {Name: "rt-singapore", Kind: "router", Site: Singapore, Exit: incident.ExitDirect, Sampling: 64, Single: true},
		routerLab:       {Name: "rt-singapore-lab", Kind: "router", Site: Singapore, Exit: incident.ExitDirect, Sampling: 4096, Single: true},
		gatewayVPN:      {Name: "vpn-gateway", Kind: "gateway", Site: Zurich, Exit: incident.ExitVPN, Sampling: 1, Ahead: ahead},
		vpcCloud:        {Name: "vpc-cloud", Kind: "cloud", Site: Cloud, Exit: incident.ExitCloud, Sampling: 1, Single: true},
	}
}

// Sensors returns the sensors.
func (e *Estate) Sensors() []Sensor { return sensors() }

// path is the sensor that a host's flows come by; a flow that bypasses the proxy comes by
// the firewall instead.
func (h *Host) path(f *flow) int {
	if f.bypass {
		return fwZurich
	}
	return h.sensor
}

// recordsOf is about how many records a flow of the host leaves.
func (h *Host) recordsOf() float64 {
	switch h.sensor {
	case fwZurich:
		return 1 + probeShare
	case proxyZurich:
		return 2 + probeShare // the proxy's own connection is seen too
	case routerSingapore:
		return 0.5
	case routerLab:
		return 0.02
	case vpcCloud:
		return 2
	case noSensor:
		return 0
	}
	return 1
}
