package flowlog

import "github.com/stanch-soar/stanch/integrations/flowmath"

// maxNames bounds how many texts are remembered.
const maxNames = 4096

// names remembers texts that come again and again in a log, such as those of its sensors, so that each is
// kept once.
type names struct {
	known map[string]string
	last  string
	// out is the same names of what leaves, see [flowmath.Egress].
	out map[string]string
}

func (n *names) of(text []byte) string {
	if string(text) == n.last {
		return n.last
	}
	name, ok := n.known[string(text)]
	if !ok {
		if n.known == nil || len(n.known) >= maxNames {
			n.known = map[string]string{}
		}
		name = string(text)
		n.known[name] = name
	}
	n.last = name
	return name
}

// egress returns the name of the sensor that sees what leaves there.
func (n *names) egress(sensor string) string {
	if len(n.out) >= maxNames {
		clear(n.out)
	}
	name, ok := n.out[sensor]
	if !ok {
		if n.out == nil {
			n.out = map[string]string{}
		}
		name = sensor + flowmath.Egress
		n.out[sensor] = name
	}
	return name
}
