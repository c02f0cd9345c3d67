package estate

import (
	"fmt"
	"strings"
)

// InventoryYAML is the hosts as the inventory of kind file reads them, with the addresses
// that they have at the end.
func (e *Estate) InventoryYAML() []byte {
	var b strings.Builder
	b.WriteString("assets:\n")
	for i := range e.hosts {
		h := &e.hosts[i]
		b.WriteString("  - { ")
		if h.ID != "" {
			fmt.Fprintf(&b, "id: %q, ", h.ID)
		}
		// Behind a NAT hosts have addresses that nobody outside sees; they are theirs all the same.
		ips := []string{h.Addresses[len(h.Addresses)-1].Addr.String()}
		if h.V6.IsValid() {
			ips = append(ips, `"`+h.V6.String()+`"`)
		}
		fmt.Fprintf(&b, "name: %s, ips: [%s], role: %s, owner: %s, criticality: %s, site: %s", h.Name, strings.Join(ips, ", "), h.Role, h.Owner, h.Criticality, h.Site)
		if len(h.Tags) > 0 {
			fmt.Fprintf(&b, ", tags: [%s]", strings.Join(h.Tags, ", "))
		}
		if h.Filtered {
			fmt.Fprintf(&b, ", agents: ['%s']", filterPath)
		}
		b.WriteString(" }\n")
	}
	return []byte(b.String())
}
