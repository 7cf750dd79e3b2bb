package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Deadlines in seconds.
const (
	ordinary = 180
	long     = 300
)

type scenario struct {
	name     string
	deadline int
	body     func(*run)
}

type made struct {
	Scenario string `json:"scenario"`
	Kind     string `json:"kind"`
	Name     string `json:"name"`
}

// run is one run of one scenario: where the broker is, and names that nobody else uses.
type run struct {
	scenario string
	url      string
	made     []made
}

// queue gives a new queue name, recorded so that the queue is deleted after the scenario.
func (r *run) queue(label string) string { return r.name("queue", label) }

// exchange gives a new exchange name, recorded as a queue's is.
func (r *run) exchange(label string) string { return r.name("exchange", label) }

func (r *run) name(kind, label string) string {
	name := fmt.Sprintf("interop.%s.amqp091-go.%s.%s.%d", os.Getenv("INTEROP_RUN"), r.scenario, label, len(r.made))
	entry := made{r.scenario, kind, name}
	r.made = append(r.made, entry)
	line, err := json.Marshal(entry)
	must(err)
	names, err := os.OpenFile(os.Getenv("INTEROP_NAMES"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(err)
	defer names.Close()
	_, err = names.Write(append(line, '\n'))
	must(err)
	return name
}

type answer struct {
	Scenario string  `json:"scenario"`
	Passed   bool    `json:"passed"`
	Seconds  float64 `json:"seconds"`
	Detail   string  `json:"detail"`
}

// protocol lists the scenarios with --list; else it runs those that are named on stdin, one a line.
func protocol(scenarios []scenario) {
	if len(os.Args) > 1 && os.Args[1] == "--list" {
		list := []map[string]any{}
		for _, each := range scenarios {
			list = append(list, map[string]any{
				"name": each.name, "deadline_seconds": each.deadline, "own_broker": onOwnBroker[each.name],
			})
		}
		write(list)
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		write(outcome(scenarios, strings.TrimSpace(lines.Text())))
	}
}

func outcome(scenarios []scenario, name string) answer {
	started := time.Now()
	detail := fmt.Sprintf("no scenario is called %q", name)
	for _, each := range scenarios {
		if each.name == name {
			r := &run{scenario: name, url: os.Getenv("INTEROP_URL")}
			detail = failure(func() { each.body(r) }) + failure(r.clean)
		}
	}
	return answer{name, detail == "", time.Since(started).Seconds(), detail}
}

// failure is what the body panicked with, if it did.
func failure(body func()) (detail string) {
	defer func() {
		if problem := recover(); problem != nil {
			detail = fmt.Sprintf("%v\n%s", problem, where())
		}
	}()
	body()
	return ""
}

// where lists the lines of the scenario that were under way.
func where() string {
	list := strings.Builder{}
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "main.") {
			fmt.Fprintf(&list, "    %s:%d %s\n", filepath.Base(frame.File), frame.Line, frame.Function)
		}
		if !more {
			return list.String()
		}
	}
}

func write(value any) {
	must(json.NewEncoder(os.Stdout).Encode(value))
}
