package wire

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"gleaner/deploy/config"
)

// TestFind: only a process that runs is found, and real servers need none.
func TestFind(t *testing.T) {
	embedded, err := config.Default().In(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	servers := embedded
	servers.Kafka.Brokers, servers.ClickHouse.Addrs = []string{"kafka:9092"}, []string{"clickhouse:9000"}

	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(embedded); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody ever ran: %v", err)
	}
	gone := Endpoints{PID: dead.Process.Pid, Kafka: "127.0.0.1:1", Web: "http://127.0.0.1:2"}
	if err := gone.write(embedded); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(embedded); !errors.Is(err, ErrNotRunning) {
		t.Errorf("the process was killed: %v", err)
	}
	if e, err := Find(servers); err != nil || e != (Endpoints{}) {
		t.Errorf("with real servers, after the process was killed: %+v, %v", e, err)
	}

	others := Endpoints{PID: os.Getppid(), Web: "http://127.0.0.1:3"}
	if err := others.write(servers); err != nil {
		t.Fatal(err)
	}
	if err := forget(servers); err != nil {
		t.Fatal(err)
	}
	if e, err := Find(servers); err != nil || e != others {
		t.Errorf("another process's endpoints, after this one ended: %+v, %v", e, err)
	}
	own := Endpoints{PID: os.Getpid()}
	if err := own.write(servers); err != nil {
		t.Fatal(err)
	}
	if err := forget(servers); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(endpointsFile(servers)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("this process's endpoints are left behind: %v", err)
	}
}
