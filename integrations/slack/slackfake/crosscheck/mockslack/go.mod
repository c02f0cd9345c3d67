module github.com/stanch-soar/stanch/integrations/slack/slackfake/crosscheck/mockslack

go 1.26.8

require github.com/target/goalert v0.34.1

require (
	github.com/davecgh/go-spew v1.1.2-0.20180830191138-d8f796af33cc // indirect
	github.com/pkg/errors v0.9.1 // indirect
)
