package command

import (
	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/sqlite"
)

// logFlags say of a log what it does not say itself.
type logFlags struct {
	format, layout, mapping, zone, sensor string
	// sampling is for records without a rate of their own.
	sampling int64
}

func (f *logFlags) addTo(c *cobra.Command) {
	c.Flags().StringVar(&f.format, "format", "", "`name` of the logs' format (recognised by their beginning when not given)")
	c.Flags().StringVar(&f.layout, "layout", "", "`fields` of the logs in the product's own words, such as Squid's logformat")
	c.Flags().StringVar(&f.mapping, "map", "", "`file` of the mapping, for logs that no format is for")
	c.Flags().StringVar(&f.zone, "zone", "", "time `zone` of times without one, such as America/New_York")
	c.Flags().StringVar(&f.sensor, "sensor", "", "`name` of the sensor of records without one")
	c.Flags().Int64Var(&f.sampling, "sampling", 0, "sampling rate of sensors that do not report one: one packet in `n` was seen, 1 is every packet (their volume is unknown when not given)")
}

// log is a log at a path, with what the flags say of it.
func (f *logFlags) log(path string) (sqlite.Log, error) {
	if f.sampling < 0 || f.sampling > flowmath.MaxSampling {
		return sqlite.Log{}, usagef("--sampling must be between 1 and %d", flowmath.MaxSampling)
	}
	l := sqlite.Log{Path: path, Format: f.format, Layout: f.layout, Map: f.mapping, Zone: integrations.Zone(f.zone), Sensor: f.sensor, Sampling: f.sampling}
	if err := l.Check(); err != nil {
		return l, usage(err)
	}
	_, err := l.Options(path)
	return l, usage(err)
}
