package slack_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/stanch-soar/stanch/integrations/slack"
)

// manifestSchema is what Slack's documents say of the parts of an app manifest
// that ours has (docs.slack.dev/reference/app-manifest).
const manifestSchema = `{
  "type": "object", "additionalProperties": false,
  "required": ["display_information", "features", "oauth_config", "settings"],
  "properties": {
    "display_information": {
      "type": "object", "additionalProperties": false, "required": ["name"],
      "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 35},
        "description": {"type": "string", "maxLength": 140},
        "background_color": {"type": "string", "pattern": "^#(?:[0-9a-fA-F]{3}){1,2}$"}
      }
    },
    "features": {
      "type": "object", "additionalProperties": false, "required": ["bot_user"],
      "properties": {
        "app_home": {
          "type": "object", "additionalProperties": false,
          "properties": {
            "home_tab_enabled": {"type": "boolean"},
            "messages_tab_enabled": {"type": "boolean"},
            "messages_tab_read_only_enabled": {"type": "boolean"}
          }
        },
        "bot_user": {
          "type": "object", "additionalProperties": false, "required": ["display_name"],
          "properties": {
            "display_name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]*$", "maxLength": 80},
            "always_online": {"type": "boolean"}
          }
        }
      }
    },
    "oauth_config": {
      "type": "object", "additionalProperties": false, "required": ["scopes"],
      "properties": {
        "scopes": {
          "type": "object", "additionalProperties": false, "required": ["bot"],
          "properties": {"bot": {
            "type": "array", "uniqueItems": true, "minItems": 1, "maxItems": 255,
            "items": {"type": "string", "pattern": "^[a-z.]+:[a-z]+(\\.[a-z]+)?$"}
          }}
        }
      }
    },
    "settings": {
      "type": "object", "additionalProperties": false,
      "required": ["interactivity", "socket_mode_enabled", "org_deploy_enabled", "token_rotation_enabled"],
      "properties": {
        "interactivity": {
          "type": "object", "additionalProperties": false, "required": ["is_enabled"],
          "properties": {"is_enabled": {"type": "boolean"}, "request_url": {"type": "string", "pattern": "^https://"}}
        },
        "org_deploy_enabled": {"type": "boolean"},
        "socket_mode_enabled": {"type": "boolean"},
        "token_rotation_enabled": {"type": "boolean"}
      },
      "oneOf": [
        {"properties": {"socket_mode_enabled": {"const": true}, "interactivity": {"not": {"required": ["request_url"]}}}},
        {"properties": {"socket_mode_enabled": {"const": false}, "interactivity": {"required": ["request_url"]}}}
      ]
    }
  }
}`

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(manifestSchema))
	must(t, doc, err)
	c := jsonschema.NewCompiler()
	if err := c.AddResource("manifest.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("manifest.json")
	return must(t, s, err)
}

func TestManifest(t *testing.T) {
	for name, tt := range map[string]struct {
		options slack.ManifestOptions
		bot     string
		scopes  int
	}{
		"by default": {bot: "stanch", scopes: 11},
		"everything": {
			slack.ManifestOptions{Name: `Stanch: "prod" # {eu}`, Mode: slack.HTTP, RequestURL: "https://stanch.example/v1/slack?a=b", MatchEmail: true},
			"stanch---prod-----eu", 12,
		},
		"other letters": {slack.ManifestOptions{Name: "Wächter 7", Mode: slack.Socket}, "w-chter-7", 11},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := slack.Manifest(tt.options)
			must(t, text, err)
			var tree any
			var got struct {
				Display  struct{ Name string } `yaml:"display_information"`
				Features struct {
					Bot struct {
						Name string `yaml:"display_name"`
					} `yaml:"bot_user"`
				}
				OAuth    struct{ Scopes struct{ Bot []string } } `yaml:"oauth_config"`
				Settings struct {
					Socket        bool `yaml:"socket_mode_enabled"`
					Interactivity struct {
						RequestURL string `yaml:"request_url"`
					}
				}
			}
			for _, into := range []any{&tree, &got} {
				if err := yaml.Unmarshal(text, into); err != nil {
					t.Fatalf("%v in\n%s", err, text)
				}
			}
			if err := schema(t).Validate(tree); err != nil {
				t.Errorf("%v in\n%s", err, text)
			}
			want := tt.options.Name
			if want == "" {
				want = "Stanch"
			}
			if got.Display.Name != want || got.Features.Bot.Name != tt.bot {
				t.Errorf("the app is %q with the bot %q, want %q with %q", got.Display.Name, got.Features.Bot.Name, want, tt.bot)
			}
			if got.Settings.Socket == (tt.options.Mode == slack.HTTP) || got.Settings.Interactivity.RequestURL != tt.options.RequestURL {
				t.Errorf("the settings are %+v for %+v", got.Settings, tt.options)
			}
			if len(got.OAuth.Scopes.Bot) != tt.scopes {
				t.Errorf("the scopes are %v, want %d", got.OAuth.Scopes.Bot, tt.scopes)
			}
			for _, p := range slack.Spec().Permissions {
				listed := slices.Contains(got.OAuth.Scopes.Bot, p.Name)
				if listed && !bytes.Contains(text, []byte("# "+p.Why)) {
					t.Errorf("the scope %s has no reason", p.Name)
				}
				if !listed && p.Name != "users:read.email" {
					t.Errorf("the scope %s is not there", p.Name)
				}
			}
		})
	}
}

func TestManifestRefuses(t *testing.T) {
	for name, o := range map[string]slack.ManifestOptions{
		"a long name":                    {Name: strings.Repeat("x", 36)},
		"a name of several lines":        {Name: "Stanch\nsettings: {}"},
		"a name without letters":         {Name: "☂"},
		"http without a request URL":     {Mode: slack.HTTP},
		"a request URL that is not safe": {Mode: slack.HTTP, RequestURL: "http://stanch.example/v1/slack"},
		"a request URL without host":     {Mode: slack.HTTP, RequestURL: "https:///v1/slack"},
		"a request URL over the socket":  {Mode: slack.Socket, RequestURL: "https://stanch.example/v1/slack"},
		"another mode":                   {Mode: "rtm"},
	} {
		if text, err := slack.Manifest(o); err == nil {
			t.Errorf("%s makes\n%s", name, text)
		}
	}
}
