package incident

// SensorPlace says where the sensors of a flow store sit, seen from what limits or blocks.
type SensorPlace string

// The closed set of places. Where nothing is said they are taken to sit after.
const (
	// SensorBefore: they see what a host sends, not what of it is let through.
	SensorBefore SensorPlace = "before"
	// SensorAfter: they see what is let through.
	SensorAfter SensorPlace = "after"
)
