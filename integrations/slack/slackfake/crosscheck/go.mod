module github.com/stanch-soar/stanch/integrations/slack/slackfake/crosscheck

go 1.26.8

require (
	github.com/google/go-cmp v0.7.0
	github.com/slack-go/slack v0.35.0
	github.com/stanch-soar/stanch v0.0.0
	github.com/target/goalert v0.34.1
)

require (
	github.com/davecgh/go-spew v1.1.2-0.20180830191138-d8f796af33cc // indirect
	github.com/gorilla/websocket v1.5.4-0.20250319132907-e064f32e3674 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	golang.org/x/net v0.58.0 // indirect
)

replace github.com/stanch-soar/stanch => ../../../..
