package integrations

import (
	"fmt"
	"time"
)

// Zone is the zone of times that are written without one: a name of the zone
// database, such as Europe/Berlin. The empty one is UTC.
type Zone string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (z *Zone) UnmarshalText(text []byte) error {
	if _, err := Zone(text).Location(); err != nil {
		return err
	}
	*z = Zone(text)
	return nil
}

// Location returns the zone. The zone of this machine ("Local") is invalid.
func (z Zone) Location() (*time.Location, error) {
	at, err := time.LoadLocation(string(z))
	if err != nil || z == "Local" {
		return nil, fmt.Errorf("time zone %q is not in the zone database: write a name such as UTC or Europe/Berlin", string(z))
	}
	return at, nil
}
