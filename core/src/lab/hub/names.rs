//! What people call containers and pods: read from the state that the kubelet and the runtimes keep on this machine.
//!
//! Nothing is asked of anybody: the files are read where they may be. A name is learnt while its group is there, as the
//! state goes with the container, often before the account is made.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::memcg::workload::{workload, Named, Workload};

/// Groups whose names are remembered.
const MOST: usize = 1024;
/// The largest file that is read: a list of containers, or the configuration of one.
const MOST_BYTES: u64 = 16 << 20;

/// The names of the groups that were seen.
#[derive(Default)]
pub(crate) struct Names {
    known: RefCell<VecDeque<(String, Named)>>,
}

impl Names {
    /// The names of what stands behind a group, from now or from when it was seen first.
    pub(crate) fn of(&self, cgroup: &str) -> Option<Named> {
        let found = workload(cgroup.as_bytes())?;
        // All groups of one container have its names.
        let key = found.container_id.clone().or_else(|| found.pod_uid.clone())?;
        let mut known = self.known.borrow_mut();
        if let Some((_, named)) = known.iter().rev().find(|(one, _)| *one == key) {
            return Some(named.clone());
        }
        let named = look_up(Path::new("/"), &found)?;
        if known.len() >= MOST {
            known.pop_front();
        }
        known.push_back((key, named.clone()));
        Some(named)
    }

    /// A group has come.
    pub(crate) fn learn(&self, cgroup: &str) {
        if workload(cgroup.as_bytes()).is_some_and(|found| found.may_be_named()) {
            let _ = self.of(cgroup);
        }
    }
}

/// What the state below `root` calls it.
fn look_up(root: &Path, found: &Workload) -> Option<Named> {
    let mut named = found.pod_uid.as_deref().and_then(|uid| of_pod(root, uid)).unwrap_or_default();
    if let Some(id) = found.container_id.as_deref().filter(|id| is_plain(id)) {
        let tried = [of_kubelet, of_docker, of_containerd].iter().find_map(|of| of(root, id));
        let container = tried.or_else(|| of_storage(root, id, found.user)).unwrap_or_default();
        named.name = container.name;
        named.pod = named.pod.or(container.pod);
        named.namespace = named.namespace.or(container.namespace);
    }
    (named != Named::default()).then_some(named)
}

/// An id becomes part of a path: it names one entry of a directory.
fn is_plain(id: &str) -> bool {
    id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The kubelet's folders of logs: `/var/log/pods/NAMESPACE_NAME_UID`.
fn of_pod(root: &Path, uid: &str) -> Option<Named> {
    names_in(&root.join("var/log/pods")).find_map(|folder| {
        let (namespace, pod) = folder.strip_suffix(uid)?.strip_suffix('_')?.split_once('_')?;
        Some(Named { name: None, pod: Some(pod.to_string()), namespace: Some(namespace.to_string()) })
    })
}

/// And its links to them: `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`.
fn of_kubelet(root: &Path, id: &str) -> Option<Named> {
    names_in(&root.join("var/log/containers")).find_map(|link| {
        let rest = link.strip_suffix(".log")?.strip_suffix(id)?.strip_suffix('-')?;
        let mut parts = rest.splitn(3, '_').map(str::to_string);
        let (pod, namespace, name) = (parts.next(), parts.next(), parts.next());
        Some(Named { name, pod, namespace })
    })
}

/// `/var/lib/docker/containers/ID/config.v2.json`.
fn of_docker(root: &Path, id: &str) -> Option<Named> {
    let config = json(&root.join("var/lib/docker/containers").join(id).join("config.v2.json"))?;
    let name = config["Name"].as_str()?.trim_start_matches('/');
    Some(Named { name: Some(name.to_string()), ..Named::default() })
}

/// The bundle of a task, for whichever client of containerd made it.
fn of_containerd(root: &Path, id: &str) -> Option<Named> {
    let tasks = root.join("run/containerd/io.containerd.runtime.v2.task");
    let config = names_in(&tasks).find_map(|namespace| json(&tasks.join(namespace).join(id).join("config.json")))?;
    let of = |name: &str| config["annotations"][name].as_str().map(str::to_string);
    let name = of("io.kubernetes.cri.container-name").or_else(|| of("nerdctl/name"));
    let (pod, namespace) = (of("io.kubernetes.cri.sandbox-name"), of("io.kubernetes.cri.sandbox-namespace"));
    (name.is_some() || pod.is_some()).then_some(Named { name, pod, namespace })
}

/// The list of containers/storage, which Podman and CRI-O keep: root's, or the user's.
fn of_storage(root: &Path, id: &str, user: Option<u32>) -> Option<Named> {
    let storage = match user {
        Some(user) => home(root, user)?.join(".local/share/containers/storage"),
        None => root.join("var/lib/containers/storage"),
    };
    // `overlay-containers`, `vfs-containers`: by the driver.
    let folders = names_in(&storage).filter(|name| name.ends_with("-containers"));
    let lists = folders.flat_map(|folder| {
        ["containers.json", "volatile-containers.json"].map(|list| storage.join(&folder).join(list))
    });
    let one = lists.filter_map(|list| json(&list)).find_map(|list| {
        let mut containers = list.as_array()?.iter();
        let one = containers.find(|one| one["id"].as_str().is_some_and(|whole| whole.starts_with(id)))?;
        one["names"][0].as_str().map(str::to_string)
    })?;
    Some(of_storage_name(&one))
}

/// CRI-O's names are `k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`.
fn of_storage_name(name: &str) -> Named {
    let parts: Vec<&str> = name.split('_').collect();
    match parts.as_slice() {
        ["k8s", container, pod, namespace, _, _] => Named {
            name: Some(container.to_string()),
            pod: Some(pod.to_string()),
            namespace: Some(namespace.to_string()),
        },
        _ => Named { name: Some(name.to_string()), ..Named::default() },
    }
}

/// The home of a user, from /etc/passwd.
fn home(root: &Path, user: u32) -> Option<PathBuf> {
    let passwd = fs::read_to_string(root.join("etc/passwd")).ok()?;
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(user.to_string().as_str()))?;
    Some(root.join(line.split(':').nth(5)?.trim_start_matches('/')))
}

/// The entries of a directory; none where it cannot be read.
fn names_in(directory: &Path) -> impl Iterator<Item = String> {
    fs::read_dir(directory).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok())
}

fn json(path: &Path) -> Option<Value> {
    if fs::metadata(path).ok()?.len() > MOST_BYTES {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f5e0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7";
    const UID: &str = "0d8a9c3e-1b2c-4d5e-8f90-a1b2c3d4e5f6";

    /// The words for a group of a machine that has these files.
    fn words(files: &[(&str, &str)], cgroup: &str) -> String {
        let machine = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = machine.path().join(path.replace("UID", UID).replace("ID", ID));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("ID", ID)).unwrap();
        }
        let found = workload(cgroup.replace("UID", UID).replace("ID", ID).as_bytes()).unwrap();
        match look_up(machine.path(), &found) {
            Some(named) => found.with_names(named).words,
            None => found.words,
        }
    }

    #[test]
    fn each_runtime_is_asked_by_its_files() {
        let podman =
            [("var/lib/containers/storage/overlay-containers/containers.json", r#"[{"id":"ID","names":["web"]}]"#)];
        let libpod = "/machine.slice/libpod-ID.scope/container";
        assert_eq!(words(&podman, libpod), "the Podman container web (3f5e0a1b2c3d), its group container");
        assert_eq!(words(&[], libpod), "the Podman container 3f5e0a1b2c3d, its group container");
        let list = "home/ann/.local/share/containers/storage/overlay-containers/volatile-containers.json";
        let users = [
            ("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n"),
            (list, r#"[{"id":"ID","names":["mine"]}]"#),
        ];
        let rootless = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope";
        assert_eq!(words(&users, rootless), "the Podman container mine (3f5e0a1b2c3d) of user 1000");
        let docker = [("var/lib/docker/containers/ID/config.v2.json", r#"{"Name":"/db"}"#)];
        assert_eq!(words(&docker, "/system.slice/docker-ID.scope"), "the Docker container db (3f5e0a1b2c3d)");
        let broken = [("var/lib/docker/containers/ID/config.v2.json", "{")];
        assert_eq!(words(&broken, "/docker/ID"), "the Docker container 3f5e0a1b2c3d");
    }

    #[test]
    fn pods_by_the_folders_of_their_logs_or_by_the_runtime() {
        let pod = "/kubepods/burstable/podUID";
        let container = "/kubepods/burstable/podUID/ID";
        let logs = [("var/log/pods/shop_cart-0_UID/x", ""), ("var/log/containers/cart-0_shop_app-ID.log", "")];
        assert_eq!(words(&logs, pod), "the burstable pod shop/cart-0");
        assert_eq!(words(&logs, container), "the container app (3f5e0a1b2c3d) of the burstable pod shop/cart-0");
        let config = r#"{"annotations":{"io.kubernetes.cri.container-name":"app",
            "io.kubernetes.cri.sandbox-name":"cart-0","io.kubernetes.cri.sandbox-namespace":"shop"}}"#;
        let task = [("run/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json", config)];
        assert_eq!(words(&task, container), "the container app (3f5e0a1b2c3d) of the burstable pod shop/cart-0");
        let crio = [(
            "var/lib/containers/storage/overlay-containers/containers.json",
            r#"[{"id":"ID","names":["k8s_app_cart-0_shop_uid_0"]}]"#,
        )];
        assert_eq!(words(&crio, container), "the container app (3f5e0a1b2c3d) of the burstable pod shop/cart-0");
    }

    #[test]
    fn what_is_no_id_is_no_path() {
        assert!(is_plain(ID));
        assert!(!is_plain("../../../../etc") && !is_plain("c1"));
    }
}
