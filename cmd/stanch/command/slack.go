package command

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/integrations/slack"
)

func newSlack(s streams) *cobra.Command {
	c := &cobra.Command{
		Use: "slack", Short: "Set up the Slack app",
		Example: "  stanch slack manifest",
	}
	c.AddCommand(newSlackManifest(s))
	return c
}

func newSlackManifest(s streams) *cobra.Command {
	var o slack.ManifestOptions
	mode := choiceFlag{value: string(slack.Socket), choices: []string{string(slack.Socket), string(slack.HTTP)}}
	c := &cobra.Command{
		Use: "manifest", Short: "Print the manifest from which Slack makes the app", Args: cobra.NoArgs,
		Long: `Prints the app manifest, with the reason for every scope. At api.slack.com/apps:
Create New App, From a manifest. In mode socket no port is open to the outside; in
mode http Slack sends answers to --request-url, which ends in
/v1/interactions/ and the integration's name in stanch.yaml.`,
		Example: "  stanch slack manifest > manifest.yaml\n  stanch slack manifest --mode http --request-url https://stanch.example/v1/interactions/slack",
		RunE: func(*cobra.Command, []string) error {
			o.Mode = slack.Mode(mode.value)
			text, err := slack.Manifest(o)
			if err != nil {
				return usagef("%v", errors.Unwrap(err))
			}
			return s.write(text)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Name, "name", "Stanch", "what the app is called")
	f.Var(&mode, "mode", "how answers arrive: socket or http")
	f.StringVar(&o.RequestURL, "request-url", "", "where Slack sends answers in mode http")
	f.BoolVar(&o.MatchEmail, "match-email", false, "with the scope that match_email needs")
	return c
}
