package nftables

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// chainName is the name of a limit's chain. Another key, action, filter or device is
// another chain.
func (l Limit) chainName() string {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%q %q %v", l.Key, l.Action, l.Addresses)
	if l.Filter != nil {
		_, _ = fmt.Fprintf(sum, " %q", l.Filter)
	}
	return chainPrefix(l.Action) + hex.EncodeToString(sum.Sum(nil)[:8])
}

func chainPrefix(a incident.Action) string {
	switch {
	case onlyCounts(a):
		return "count-"
	case a == incident.Block:
		return "block-"
	}
	return "limit-"
}
