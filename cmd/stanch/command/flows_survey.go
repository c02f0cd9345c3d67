package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// flowsSurveyOptions are the flags of flows survey.
type flowsSurveyOptions struct{ flowsWindow }

func newFlowsSurvey(s streams) *cobra.Command {
	o := &flowsSurveyOptions{flowsWindow{flowsQuestion: flowsQuestion{streams: s}}}
	c := &cobra.Command{
		Use: "survey", Short: "Show what the records of a flow store can tell", Args: cobra.NoArgs,
		Long: `Shows how many records a window has, how new the newest of the store is, which
sensors wrote them, and what those see: whether they sample, and whether they see
one direction only; and what stanch.yaml says of them: where they sit, and which exit they watch. A store whose newest record is old is stale, not quiet. The
window ends with the newest record of the store, or with --to.`,
		Example: "  stanch flows survey --config stanch.yaml --use flows\n  stanch flows survey --store flows.db --window 1d",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addTo(c)
	return c
}

// surveyed is the result of flows survey.
type surveyed struct {
	asked
	incident.Survey
	// Sees is where stanch.yaml says that the sensors sit, seen from an enforcer.
	Sees map[string]incident.SensorPlace `json:"sees,omitempty"`
	// Exits is which exit stanch.yaml says that each sensor watches.
	Exits map[string]incident.Exit `json:"exits,omitempty"`
}

func (o *flowsSurveyOptions) run(ctx context.Context) error {
	return o.ask(ctx, func(set *integrations.Set, name string, a asked) error {
		surveyor, err := capable[integrations.Surveyor](set, name, "say what its records can tell")
		if err != nil {
			return err
		}
		s, err := surveyor.Survey(ctx, a.From, a.To)
		if err != nil {
			return err
		}
		sees, exits, err := o.said(name, s.Sensors)
		if err != nil {
			return err
		}
		return o.output.print(o.streams, surveyed{a, s, sees, exits}, func(p *term.Printer) error {
			err := o.show(p, s, a, exits)
			for _, enforcer := range slices.Sorted(maps.Keys(sees)) {
				err = errors.Join(err, o.say("%s", seesText(name, enforcer, sees[enforcer])))
			}
			return err
		})
	})
}

// said is what the configuration, if there is one, says of the sensors: where they sit, and which exit
// each watches. Records do not show it: a sensor before and one after what limits may well be one router.
func (o *flowsSurveyOptions) said(store string, sensors []incident.Sensor) (map[string]incident.SensorPlace, map[string]incident.Exit, error) {
	c, err := o.load()
	if err != nil || c == nil {
		return nil, nil, err
	}
	exits := map[string]incident.Exit{}
	for _, sensor := range sensors {
		if exit := c.ExitsOf(store).Of(sensor.Name); exit != "" {
			exits[sensor.Name] = exit
		}
	}
	return c.Sees()[store], exits, nil
}

func (o *flowsSurveyOptions) show(p *term.Printer, s incident.Survey, a asked, exits map[string]incident.Exit) error {
	newest := "none"
	if !s.Newest.IsZero() {
		newest = s.Newest.UTC().Format(time.RFC3339)
	}
	err := p.Table([]string{"FROM", "TO", "RECORDS", "NEWEST OF ALL", "SEEN", "FRESH"}, [][]string{{
		a.From.Format(time.RFC3339), a.To.Format(time.RFC3339), strconv.FormatInt(s.Records, 10), newest,
		seenOf(s), cmp.Or(a.Stale, "yes"),
	}})
	if err == nil && s.Damaged > 0 {
		err = o.say("%d lines or addresses could not be read: what they held is missing in every answer", s.Damaged)
	}
	for _, c := range s.FastClocks {
		err = errors.Join(err, o.say("%s, its newest record is of %s: what it recorded of the future proves nothing", c, c.Newest.Format(time.RFC3339)))
	}
	if s.AtLeast != "" {
		err = errors.Join(err, o.say("volumes are at least those shown: %s", s.AtLeast))
	}
	if err != nil || len(s.Sensors) == 0 {
		return err
	}
	header, rows := []string{"SENSOR", "RECORDS", "COUNTS", "SEES", "NEWEST"}, make([][]string, len(s.Sensors))
	if len(exits) > 0 {
		header = append(header, "EXIT")
	}
	for i, sensor := range s.Sensors {
		rows[i] = []string{
			cmp.Or(sensor.Name, "(without a name)"), strconv.FormatInt(sensor.Records, 10), countsText(sensor),
			directionText(sensor), sensor.Newest.UTC().Format(time.RFC3339),
		}
		if len(exits) > 0 {
			rows[i] = append(rows[i], cmp.Or(string(exits[sensor.Name]), "not said"))
		}
	}
	return p.Table(header, rows)
}

// seenOf describes what the sensors saw of all flows.
func seenOf(s incident.Survey) string {
	if slices.ContainsFunc(s.Sensors, func(one incident.Sensor) bool { return one.NoPackets+one.NoRate > 0 }) {
		return "some flows without a volume"
	}
	return coverageText(s.Coverage)
}

// countsText describes the counters of a sensor, and in how many of its records
// they are missing.
func countsText(s incident.Sensor) string {
	text := "1 packet in " + strconv.FormatInt(s.Sampling, 10)
	switch s.Sampling {
	case 0:
		text = "sampling not known"
	case 1:
		text = "every packet"
	}
	switch {
	case s.NoPackets > 0 && s.NoPackets == s.Records:
		text = "no packets"
	case s.NoPackets > 0:
		text += fmt.Sprintf(", none in %d", s.NoPackets)
	}
	if s.NoRate > 0 && s.Sampling > 0 {
		text += fmt.Sprintf(", sampling not known in %d", s.NoRate)
	}
	return text
}

func directionText(s incident.Sensor) string {
	switch {
	case s.OneWay && s.NoPackets+s.NoRate > 0:
		return "volumes are unknown"
	case s.OneWay:
		return "one direction: volumes are unknown"
	}
	return coverageText(incident.BothWays)
}
