package service

import (
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/stanch-soar/stanch/activities/protocol"
)

// searchAttributes are those of the namespace.
func searchAttributes() map[string]enumspb.IndexedValueType {
	attributes := map[string]enumspb.IndexedValueType{}
	for _, name := range protocol.Attributes() {
		attributes[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	return attributes
}
