"""A seccomp filter written by hand: a deny-list of system calls that no exercise needs.

Protects: against what would widen the kernel's attack surface or leave the process (tracing others, mounting,
namespaces, sockets of any kind, io_uring, BPF, keyrings, kernel modules, clocks, priorities), against raising the
limits of another process, and, unless child processes are allowed, against fork and exec. Where there is no
process namespace, a process can signal nothing but itself.
Does not protect: files (that is the view and Landlock), time and memory (limits), or the calls it leaves open.
The numbers for 64-bit ARM follow the kernel's generic table.
"""

from __future__ import annotations

import errno
import platform
import struct

from . import linux

__all__ = ["install", "program"]

# name: (number on x86-64, number on 64-bit ARM); None where the machine has no such call
_DENIED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "process_madvise": (440, 440), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "setpriority": (141, 140), "sched_setattr": (314, 274), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "ioprio_set": (251, 30),
    # the file system's shape
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "mknod": (133, None), "mknodat": (259, 33), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "swapon": (167, 224), "swapoff": (168, 225),
    # the network
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242),
    # memory that the limits do not see
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "move_pages": (279, 239), "migrate_pages": (256, 238),
    # wide doors of the kernel
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "fanotify_init": (300, 262), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "personality": (135, 92),
    # the machine
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "acct": (163, 89), "syslog": (103, 116),
    "vhangup": (153, 58), "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
}  # fmt: skip
_CHILDREN: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
}  # fmt: skip
_BY_ARGUMENT: dict[str, tuple[int, int]] = {
    "clone": (56, 220), "clone3": (435, 435), "prctl": (157, 167), "prlimit64": (302, 261),
    "kill": (62, 129), "tgkill": (234, 131), "tkill": (200, 130),
}  # fmt: skip
_MACHINES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}

_CLONE_THREAD, _CLONE_NEW = 0x0001_0000, 0x7E02_0080
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _KILL, _ERRNO = 0x7FFF_0000, 0x8000_0000, 0x0005_0000

_Instruction = tuple[int, int, int, int]


def _refuse(number: int = errno.EPERM) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | number)


def _argument(number: int, place: int, test: _Instruction) -> list[_Instruction]:
    """For the call ``number``: allow it if ``test`` on the low half of an argument holds, refuse it otherwise."""
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _ARGUMENTS + 8 * place),
        test,
        _refuse(),
        (_RETURN, 0, 0, _ALLOW),
    ]


def program(*, children: bool, signal_only: int | None = None, machine: str | None = None) -> bytes:
    """The filter as bytes.

    Args:
        children: whether child processes and other programs may be started.
        signal_only: the only process id that may be signalled; None leaves signals to the process namespace.
        machine: ``"x86_64"`` or ``"aarch64"``; by default this machine's.

    Raises:
        OSError: the machine is neither.
    """
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no filter is written for {machine}; expected {' or '.join(_MACHINES)}")
    column, architecture = _MACHINES[machine]
    code: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":  # the second table of numbers that x86-64 kernels may accept
        code += [(_AT_LEAST, 0, 1, 0x4000_0000), (_RETURN, 0, 0, _KILL)]
    for numbers in (*_DENIED.values(), *(() if children else _CHILDREN.values())):
        number = numbers[column]
        if number is not None:
            code += [(_EQUAL, 0, 1, number), _refuse()]
    call = {name: numbers[column] for name, numbers in _BY_ARGUMENT.items()}
    code += [
        (_EQUAL, 0, 1, call["clone3"]),
        _refuse(errno.ENOSYS),
    ]  # its flags are out of reach; libc falls back
    if children:
        code += _argument(call["clone"], 0, (_ANY_BIT, 0, 1, _CLONE_NEW))
    else:
        code += _argument(call["clone"], 0, (_ANY_BIT, 1, 0, _CLONE_THREAD))
    code += [  # prctl: everything but PR_SET_PDEATHSIG
        (_EQUAL, 0, 4, call["prctl"]),
        (_LOAD, 0, 0, _ARGUMENTS),
        (_EQUAL, 0, 1, 1),
        _refuse(),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code += _argument(call["prlimit64"], 0, (_EQUAL, 1, 0, 0))
    if signal_only is not None:
        code += _argument(call["kill"], 0, (_EQUAL, 1, 0, signal_only))
        code += _argument(call["tgkill"], 0, (_EQUAL, 1, 0, signal_only))
        code += [(_EQUAL, 0, 1, call["tkill"]), _refuse()]
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def install(*, children: bool, signal_only: int | None = None) -> None:
    """Install the filter for this thread and all that it starts; it cannot be removed.

    Raises:
        OSError: the kernel refuses, or the machine is not known.
    """
    linux.no_new_privileges()  # the kernel asks for it unless one may do everything anyway
    linux.install_filter(program(children=children, signal_only=signal_only))
