use super::*;

const ID: &str = "3f5e0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7";
const UID: &str = "0d8a9c3e-1b2c-4d5e-8f90-a1b2c3d4e5f6";

/// What a path says, with `ID` and `UID` put in (`UID_` as a slice writes it).
fn of(path: &str) -> Workload {
    let path = path.replace("UID_", &UID.replace('-', "_")).replace("UID", UID).replace("ID", ID);
    workload(path.as_bytes()).unwrap_or_else(|| panic!("{path} says nothing"))
}

fn says(path: &str, words: &str) {
    let words = words.replace("UID", UID);
    assert_eq!(of(path).words, words, "{path}");
}

#[test]
fn kubernetes_by_both_drivers_and_all_runtimes() {
    for (path, words) in [
        ("/kubepods/burstable/podUID/ID", "the container 3f5e0a1b2c3d of the burstable pod UID"),
        ("/kubepods/podUID/ID/app", "the container 3f5e0a1b2c3d of the guaranteed pod UID, its group app"),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID_.slice/cri-containerd-ID.scope",
            "the containerd container 3f5e0a1b2c3d of the burstable pod UID",
        ),
        (
            "/kubepods.slice/kubepods-podUID_.slice/crio-ID.scope/container",
            "the CRI-O container 3f5e0a1b2c3d of the guaranteed pod UID, its group container",
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podUID_.slice/docker-ID.scope",
            "the Docker container 3f5e0a1b2c3d of the besteffort pod UID",
        ),
        (
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podUID_.slice",
            "the burstable pod UID",
        ),
        (
            "/system.slice/containerd.service/kubepods-burstable-podUID_.slice:cri-containerd:ID",
            "the containerd container 3f5e0a1b2c3d of the burstable pod UID",
        ),
        ("/kubepods.slice", "all pods of this node (Kubernetes)"),
        ("/kubepods/besteffort", "all besteffort pods of this node (Kubernetes)"),
        // A node that is itself a container.
        ("/docker/ID/kubelet/kubepods/burstable/podUID/ID", "the container 3f5e0a1b2c3d of the burstable pod UID"),
    ] {
        says(path, words);
    }
    let pod = of("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID_.slice");
    assert_eq!((pod.kind, pod.pod_uid.as_deref(), pod.qos), (WorkloadKind::Pod, Some(UID), Some("burstable")));
    assert_eq!((pod.container_id, pod.unit), (None, None));
    assert!(pod.ask.unwrap().ends_with(&format!("| grep {UID}")));
    let inner = of("/docker/ID/kubelet/kubepods/burstable/podUID");
    assert_eq!((inner.kind, inner.container_id), (WorkloadKind::Pod, None), "the node is not the pod");
    let container = of("/kubepods/burstable/podUID/ID");
    assert_eq!((container.container_id.as_deref(), container.kind.name()), (Some(ID), "container"));
    assert_eq!(container.ask.as_deref(), Some("crictl inspect 3f5e0a1b2c3d"));
}

#[test]
fn containers_that_no_kubelet_made() {
    for (path, words, ask) in [
        ("/docker/ID", "the Docker container 3f5e0a1b2c3d", Some("docker inspect 3f5e0a1b2c3d")),
        ("/docker/c1", "the Docker container c1", Some("docker inspect c1")),
        ("/system.slice/docker-ID.scope", "the Docker container 3f5e0a1b2c3d", Some("docker inspect 3f5e0a1b2c3d")),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
            "the Podman container 3f5e0a1b2c3d of user 1000, its group container",
            Some("podman inspect 3f5e0a1b2c3d"),
        ),
        (
            "/machine.slice/libpod-conmon-ID.scope",
            "the Podman container 3f5e0a1b2c3d",
            Some("podman inspect 3f5e0a1b2c3d"),
        ),
        (
            "/machine.slice/machine-libpod_pod_ID.slice",
            "the Podman pod 3f5e0a1b2c3d",
            Some("podman pod inspect 3f5e0a1b2c3d"),
        ),
        ("/lxc/web/ns", "the LXC container web, its group ns", Some("lxc-info -n web")),
        ("/lxc.payload.web", "the LXC container web", Some("lxc-info -n web")),
        (
            r"/machine.slice/machine-my\x2dbox.scope",
            "the systemd-nspawn container my-box",
            Some("machinectl status my-box"),
        ),
        (
            "/ecs/0a1b2c3d4e5f/ID",
            "the Amazon ECS container 3f5e0a1b2c3d of the job 0a1b2c3d4e5f",
            Some("docker inspect 3f5e0a1b2c3d"),
        ),
        ("/garden/g1", "the Garden container g1", None),
    ] {
        says(path, words);
        assert_eq!(of(path).ask.as_deref(), ask, "{path}");
    }
}

#[test]
fn jobs_and_virtual_machines() {
    for (path, words) in [
        ("/slurm/uid_1000/job_42/step_batch", "step batch of the Slurm job 42 of user 1000"),
        ("/slurm_node7/uid_0/job_42", "the Slurm job 42 of user 0"),
        (
            "/system.slice/slurmstepd.scope/job_42/step_0/user/task_1",
            "step 0 of the Slurm job 42, its group user/task_1",
        ),
        ("/system.slice/slurmstepd.scope", "all Slurm jobs"),
        (
            r"/machine.slice/machine-qemu\x2d3\x2dold\x2dmail.scope/libvirt/emulator",
            "the virtual machine old-mail (libvirt), its group libvirt/emulator",
        ),
        (r"/machine.slice/machine-qemu\x5cx2d3\x5cx2dmail.scope", "the virtual machine mail (libvirt)"),
        ("/qemu.slice/104.scope", "the virtual machine 104 (Proxmox)"),
        ("/nomad.slice/share.slice/UID.web.scope", "the task web of the Nomad job UID"),
        ("/pbs_jobs.service/jobid/12.head", "the PBS job 12.head"),
    ] {
        says(path, words);
    }
    let step = of("/system.slice/slurmstepd.scope/job_42/step_0");
    assert_eq!((step.job.as_deref(), step.step.as_deref()), (Some("42"), Some("0")));
    assert_eq!(step.ask.as_deref(), Some("scontrol show job 42"));
}

#[test]
fn units_of_systemd() {
    for (path, words) in [
        ("/system.slice/nginx.service", "the systemd service nginx.service"),
        (r"/system.slice/system-getty.slice/getty@tty1.service", "the systemd service getty@tty1.service"),
        ("/user.slice/user-1000.slice/session-3.scope", "the login session 3 of user 1000"),
        ("/user.slice/user-1000.slice", "all that user 1000 runs"),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-4711.scope",
            "the application firefox of user 1000 (app-gnome-firefox-4711.scope)",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/run-r0a.scope",
            "the systemd scope run-r0a.scope of user 1000",
        ),
        ("/system.slice", "the systemd slice system.slice"),
        ("/init.scope", "systemd itself (init.scope)"),
        ("/system.slice/web.service/workers", "the systemd service web.service, its group workers"),
        ("/", "the whole machine"),
        ("", "the whole machine"),
        ("/memoom-812-77120-1b2c-4026531836-9f/a", "a group of memoom's"),
    ] {
        says(path, words);
    }
    assert_eq!(of("/system.slice/nginx.service").ask.as_deref(), Some("systemctl status nginx.service"));
    let scope = of(r"/system.slice/run-a\x2db.scope");
    assert_eq!(scope.ask.as_deref(), Some(r"systemctl status 'run-a\x2db.scope'"), "the shell must not eat it");
}

#[test]
fn names_that_tell_nothing_and_names_of_attackers() {
    for path in ["/a", "/build/1/2", "/mygroup", "/pod1", "relative"] {
        assert_eq!(workload(path.as_bytes()), None, "{path}");
    }
    let evil = of("/system.slice/x;reboot $(id)'.service");
    assert_eq!(evil.ask.as_deref(), Some(r"systemctl status 'x;reboot $(id)'\''.service'"));
    assert_eq!(of("/system.slice/-H.service").ask, None);
    let lab = workload("/memoom-1-2-3-4-5/süß".as_bytes()).unwrap();
    assert!(lab.below.is_none_or(|below| below.is_ascii()), "documents are ASCII");
    let escapes = workload(b"/system.slice/a\x1b[31m.service").unwrap();
    assert_eq!(escapes.unit.as_deref(), Some(r"a\x1b[31m.service"));
    assert_eq!((escapes.ask, escapes.words.contains('\x1b')), (None, false));
    // What the fuzzer found: a command that is not ASCII.
    let odd = workload("/system.slice/süß.service".as_bytes()).unwrap();
    assert_eq!((odd.unit.as_deref(), odd.ask), (Some(r"s\xc3\xbc\xc3\x9f.service"), None));
    // Whatever it is: no panic.
    for noise in [&b"/\xff\xfe/kubepods/\xc3/pod"[..], b"////", b"/kubepods-", b"/:/:pod:", b"/.scope/.service/.slice"]
    {
        workload(noise);
    }
}
