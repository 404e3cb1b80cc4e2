"""Files and folders that want to do harm, or that are wrong, and for each the words that it must be refused with."""

import bz2
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

import official

from benchmarks.space import nasbench201

FACTS = official.facts("nats", (11,))


@cache
def genuine() -> bytes:
    """The pickle of one architecture, as in the NATS folder."""
    return pickle.dumps(official.both(FACTS, ("12", "200")), 4)


@cache
def saved(zipped: bool, weights: bool = False) -> bytes:
    """A file of torch.save with one architecture."""
    import torch

    stream = io.BytesIO()
    facts = official.facts("v1_1", (11,))
    torch.save(official.both(facts, ("less", "full"), official.weights if weights else lambda: None), stream,
               _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def text(word: str) -> bytes:
    """SHORT_BINUNICODE."""
    return b"\x8c" + bytes([len(word)]) + word.encode()


def named(module: str, name: str) -> bytes:
    """STACK_GLOBAL."""
    return text(module) + text(name) + b"\x93"


def legacy(pickle_: bytes) -> bytes:
    """A file of torch.save in the legacy form around a pickle."""
    return (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03." + pickle.dumps({"little_endian": True}, 2) + pickle_
            + b"\x80\x02].")


def archive(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name), content, compress_type=compression)
    return stream.getvalue()


def reaching(content: bytes, number: int) -> bytes:
    """The content, which says its form, in one that is recognised as an official file; a plain pickle is turned away before."""
    if not content.startswith(b"\x80") or content.startswith(legacy(b"")[:14]):
        return content
    if len(content) < 100_000 and number % 3 < 2:
        return bz2.compress(content) if number % 3 else legacy(content)
    return archive([("archive/data.pkl", content)])


def payload(canary: str) -> bytes:
    """The arguments of os.system, ready to be called."""
    return b"\x80\x04" + text(f"touch {canary}") + b"\x85"


def changed(change: Callable[[Any], None], facts: list[official.Training] = FACTS) -> bytes:
    """The genuine pickle of one architecture, after a change."""
    value = official.both(facts, ("12", "200"))
    change(value)
    return pickle.dumps(value, 4)


def results(value: Any, epochs: str = "200") -> Any:
    return value[epochs]["all_results"]


def at(value: Any, dataset: str = "cifar10", epochs: str = "200", seed: int = 777) -> Any:
    return results(value, epochs)[dataset, seed]


def sharing(value: Any) -> None:
    at(value, seed=888)["eval_times"] = at(value)["eval_times"]


def unevaluated(value: Any) -> None:
    """A training that has nothing to say of the accuracies that it shares."""
    at(value, seed=888).update(eval_acc1es=at(value)["eval_acc1es"], eval_losses={}, eval_times={}, eval_names=[])


def two_with_one_configuration() -> bytes:
    """Two architectures whose trainings share what they say about their network."""
    value = official.nats_object(official.facts("nats", (11, 12)))
    first, second = (at(value["arch2infos"][index]) for index in (11, 12))
    second["arch_config"] = first["arch_config"]
    return pickle.dumps(value, 4)


def whole(change: Callable[[Any], None]) -> bytes:
    value = official.nats_object(FACTS)
    change(value)
    return pickle.dumps(value, 4)


def executing(canary: str, port: int) -> dict[str, tuple[bytes, str]]:
    """Files that ask for something to be done."""
    touch = f"touch {canary}"
    call = payload(canary)[2:]
    connect = b"(" + text("127.0.0.1") + b"M" + struct.pack("<H", port) + b"t\x85"
    reduced = type("Payload", (), {"__reduce__": lambda self: (os.system, (touch,))})()
    nested = {"12": [{"deep": (reduced,)}]}
    return {
        "GLOBAL os.system": (f"cos\nsystem\n(S'{touch}'\ntR.".encode().join((b"\x80\x02", b"")), r"asks for os\.system"),
        "STACK_GLOBAL os.system": (b"\x80\x04" + named("os", "system") + call + b"R.", r"asks for os\.system"),
        "posix.system by a pickler": (pickle.dumps(reduced, 4), r"asks for posix\.system"),
        "nt.system": (b"\x80\x04" + named("nt", "system") + call + b"R.", r"asks for nt\.system"),
        "nested reduce": (pickle.dumps(nested, 4), r"asks for posix\.system"),
        "reduce after a genuine file": (genuine()[:-1] + named("os", "system") + call + b"R.", r"asks for os\.system"),
        "reduce in place of a genuine file": (genuine()[:-1] + b"0" + named("os", "system") + call + b"R.", "uses POP"),
        "reduce in the results": (changed(lambda value: at(value).update(latency=[reduced])), r"asks for posix\.system"),
        "reduce as a key": (b"\x80\x04}" + named("os", "system") + call + b"RNs.", r"asks for os\.system"),
        "INST": (b"\x80\x02(" + f"S'{touch}'\nios\nsystem\n.".encode(), "uses INST"),
        "OBJ": (b"\x80\x02(" + f"cos\nsystem\nS'{touch}'\no.".encode(), r"asks for os\.system"),
        "OBJ of an allowed name": (b"\x80\x04(" + named("collections", "OrderedDict") + b"o.", "uses OBJ"),
        "NEWOBJ": (b"\x80\x04" + named("collections", "OrderedDict") + b")\x81.", "uses NEWOBJ"),
        "NEWOBJ_EX": (b"\x80\x04" + named("collections", "OrderedDict") + b")}\x92.", "uses NEWOBJ_EX"),
        "EXT1": (b"\x80\x02\x82\x01.", "uses EXT1"),
        "EXT2": (b"\x80\x02\x83\x01\x00.", "uses EXT2"),
        "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "uses EXT4"),
        "PERSID": (b"\x80\x02Pos.system\n.", "uses PERSID"),
        "BINPERSID": (b"\x80\x04" + text("os.system") + b"Q.", "uses BINPERSID"),
        "persistent module": (legacy(b"\x80\x02(X\x06\x00\x00\x00moduleNNNtQ."), "BINPERSID for something else"),
        "buffers": (b"\x80\x05\x97\x98.", "uses NEXT_BUFFER"),
        "builtins.eval": (b"\x80\x04" + named("builtins", "eval") + text(f"open({canary!r},'w')") + b"\x85R.",
                          r"asks for builtins\.eval"),
        "builtins.exec of Python 2": (b"\x80\x02c__builtin__\neval\n(S'1'\ntR.", r"asks for __builtin__\.eval"),
        "getattr chain": (b"\x80\x04" + named("builtins", "getattr") + named("builtins", "dict") + text("get") + b"\x86R.",
                          r"asks for builtins\.getattr"),
        "dotted name": (b"\x80\x04" + named("collections", "OrderedDict.fromkeys") + b".", r"OrderedDict\.fromkeys"),
        "name through a module": (b"\x80\x04" + named("collections", "_sys.modules") + b".", r"asks for collections\._sys"),
        "name in a str subclass": (b"\x80\x04K\x01" + text("system") + b"\x93.", "a name that is no string"),
        "subprocess": (b"\x80\x04" + named("subprocess", "Popen") + call + b"R.", r"asks for subprocess\.Popen"),
        "import": (b"\x80\x04" + named("importlib", "import_module") + text("this") + b"\x85R.", r"importlib\.import_module"),
        "connection": (b"\x80\x04" + named("socket", "create_connection") + connect + b"R.", r"socket\.create_connection"),
        "torch.load": (b"\x80\x04" + named("torch", "load") + call + b"R.", r"asks for torch\.load"),
        "torch storage": (b"\x80\x04" + named("torch.storage", "_load_from_bytes") + b"C\x01x\x85R.", "none of the official"),
        "numpy.load": (b"\x80\x04" + named("numpy", "load") + call + b"R.", r"asks for numpy\.load"),
        "codecs.decode": (b"\x80\x04" + named("_codecs", "decode") + call + b"R.", r"asks for _codecs\.decode"),
        "encoding with a side effect": (b"\x80\x04" + named("_codecs", "encode") + text("a") + text("idna") + b"\x86R.",
                                        "asks for the encoding"),
        "encoding of no text": (b"\x80\x04" + named("_codecs", "encode") + b"K\x01" + text("latin1") + b"\x86R.", "encode a int"),
        "ordered dictionary of items": (b"\x80\x04" + named("collections", "OrderedDict") + b"]" + text("12") + b"N\x86a\x85R.",
                                        "makes an OrderedDict of something"),
        "copyreg": (b"\x80\x02ccopy_reg\n_reconstructor\n.", r"asks for copy_reg\._reconstructor"),
        "BUILD on a dtype twice": (b"\x80\x04" + named("numpy", "dtype") + text("f8") + b"\x85R}b}b.", "uses BUILD"),
        "BUILD on a name": (b"\x80\x04" + named("numpy", "dtype") + b"}" + text("__call__") + text("os") + b"sb.", "uses BUILD"),
        "call of a call": (b"\x80\x04" + named("numpy", "dtype") + text("f8") + b"\x85R)R.", "calls what is not a function"),
        "call of a string": (b"\x80\x04" + text("os.system") + call + b"R.", "calls what is not a function"),
        "arguments that are no tuple": (b"\x80\x04" + named("numpy", "dtype") + b"]R.", "calls what is not a function"),
        "name that is no name": (b"\x80\x02cos\nsystem\x1b[2J" + b"x" * 300 + b"\n.", r"asks for 'os\.system\\x1b\[2J"),
        "call in the magic pickle": (b"\x80\x02cos\nsystem\n(S'x'\ntR." + legacy(b"\x80\x02}.")[15:], r"asks for os\.system"),
        "call in a torch zip": (archive([("archive/data.pkl", b"\x80\x02cos\nsystem\n.")]), r"asks for os\.system"),
        "call in a torch stream": (legacy(b"\x80\x02cos\nsystem\n."), r"asks for os\.system"),
        "call in the storage keys": (legacy(b"\x80\x02}.")[:-4] + b"\x80\x02cos\nsystem\n.", r"asks for os\.system"),
        "call in bz2": (bz2.compress(b"\x80\x04" + named("os", "system") + call + b"R."), r"asks for os\.system"),
    }


def colliding(n: int) -> bytes:
    """A dictionary whose n keys are pairs of int of one and the same hash: the steps of CPython's `tuplehash`, backwards."""
    whole, p1, p2, p5 = 2**64, 11400714785074694791, 14029467366897019727, 2870177450012600261
    back = pow(p2, -1, whole)
    keys: list[tuple[int, int]] = []
    first = 0
    while len(keys) < n:
        first += 1
        mixed = (p5 + first * p2) % whole
        mixed = ((mixed << 31) | (mixed >> 33)) % whole * p1 % whole
        second = (12345 - mixed) * back % whole
        # As large as it can be and still be its own hash.
        if second < 2**61 - 1:
            keys.append((first, second))
    assert len({hash(key) for key in keys}) == 1
    pairs = [b"".join(b"\x8a\x08" + part.to_bytes(8, "little") for part in key) + b"\x86N" for key in keys]
    return b"\x80\x04}" + b"".join(b"(" + b"".join(pairs[i:i + 1_000]) + b"u" for i in range(0, n, 1_000)) + b"."


def exhausting() -> dict[str, tuple[bytes, str]]:
    """Files that would fill memory or never end."""
    laughs = b"\x80\x04]\x94" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x87\x94" for i in range(60)) + b"."
    huge = {"BINUNICODE": b"X\xff\xff\xff\xff", "BINUNICODE8": b"\x8d" + b"\xff" * 7 + b"\x7f", "SHORT_BINUNICODE": b"\x8c\xff",
            "BINBYTES": b"B\xff\xff\xff\xff", "BINBYTES8": b"\x8e" + b"\xff" * 8, "SHORT_BINBYTES": b"C\xff",
            "BINSTRING": b"T\xff\xff\xff\x7f", "SHORT_BINSTRING": b"U\xff", "LONG1": b"\x8a\xff",
            "LONG4": b"\x8b\xff\xff\xff\x7f", "FRAME": b"\x95" + b"\xff" * 7 + b"\x7f"}
    lengths = {f"length of {name}": (b"\x80\x04" + code + b"x.", "asks for .* bytes|an integer of|ends in the middle")
               for name, code in huge.items()}
    lengths |= {f"length of {name} in bz2": (bz2.compress(b"\x80\x04" + code + b"x."), "asks for .* bytes|an integer of|ends in")
                for name, code in huge.items() if name in ("BINUNICODE8", "BINBYTES8", "FRAME", "BINBYTES")}
    return lengths | {
        "memo number": (b"\x80\x02Nr\xff\xff\xff\xff.", "numbers its memo 4294967295"),
        "memo number in text": (b"\x80\x02Np99999999999999\n.", "numbers its memo 99999999999999"),
        "negative memo number": (b"\x80\x02Np-5\n.", "damaged"),
        "memo steps": (b"\x80\x02N" + b"".join(b"r" + struct.pack("<I", 18 * i) for i in range(9)) + b".", "numbers its memo"),
        "memo entry that is not there": (b"\x80\x02h\x05.", "entry 5 of its memo"),
        "memo entry that was skipped": (b"\x80\x02Nq\x09h\x03.", "entry 3 of its memo"),
        "memo of millions": (b"\x80\x04N" + b"\x94" * 4_000_000 + b".", "none of the official layouts"),
        "a million sets": (b"\x80\x04]" + b"\x8f\x94a" * 1_000_000 + b".", "needs more than 1[0-9]{2} MiB of memory"),
        "a million frozen sets": (b"\x80\x04]" + b"(K\x01\x91a" * 1_500_000 + b".", "needs more than 1[0-9]{2} MiB of memory"),
        "a million sets of one": (b"\x80\x04]" + b"\x8f(K\x01\x90a" * 1_000_000 + b".", "needs more than 1[0-9]{2} MiB of"),
        "a billion laughs": (laughs, "none of the official layouts"),
        "lists in lists": (b"\x80\x04" + b"]" * 300_000 + b"a" * 299_999 + b".", "piles up more than"),
        "tuples in tuples": (b"\x80\x04]" + b"\x85" * 500_000 + b".", "none of the official layouts"),
        "marks": (b"\x80\x04" + b"(" * 5_000 + b".", "nested more than"),
        "dictionaries in dictionaries": (b"\x80\x04" + b"}K\x01" * 90_000 + b"N" + b"s" * 90_000 + b".", "piles up more than"),
        "a deep tuple as a key": (b"\x80\x04})" + b"\x85" * 200_000 + b"Ns.", "dictionary key"),
        "a long tuple as a key": (b"\x80\x04}(" + b"K\x01" * 5_000 + b"tNs.", "dictionary key"),
        "a list as a key": (b"\x80\x04}]Ns.", "dictionary key"),
        "keys of one hash": (b"\x80\x04}(" + b"".join(b"\x8a\x0a" + (i * (2**61 - 1) * 8).to_bytes(10, "little") + b"N"
                                                      for i in range(1, 20_000)) + b"u.", "dictionary key"),
        "pairs of one hash": (colliding(60_000), "dictionary key"),
        "numbers of one hash": (b"\x80\x04}(" + b"".join(b"\x8a\x08" + (i * (2**61 - 1)).to_bytes(8, "little", signed=True) + b"N"
                                                         for i in range(-4, 5)) + b"u.", "dictionary key"),
        "a list in itself": (b"\x80\x04]\x94h\x00a.", "none of the official layouts"),
        "a dictionary in itself": (b"\x80\x04}\x94" + text("12") + b"h\x00s.", "none of the official layouts"),
        "a tuple in itself": (b"\x80\x04]\x94(h\x00\x85e.", "none of the official layouts"),
        "a line without an end": (b"\x80\x02c" + b"a" * 1_000_000, "has a line of more than"),
        "a line that is no number": (b"\x80\x02F" + b"9x\xff" * 9_000 + b"\n.", r"is damaged near byte .*x\S*\.\.\.\S*\)"),
        "digits without an end": (b"\x80\x02I" + b"9" * 60_000 + b"\n.", "integer of 60000 digits"),
        "bz2 bomb": (bz2.compress(b"\x80\x04" + b"N" * 8_000_000 + b"."), "unpacks to more than|piles up more than"),
        "bz2 bomb of memo": (bz2.compress(b"\x80\x04N" + b"\x94" * 8_000_000 + b"."), "unpacks to more than"),
        "zip bomb": (archive([("archive/data.pkl", b"\x80\x02" + b"N" * 8_000_000)], zipfile.ZIP_DEFLATED), "compressed member"),
        "bomb beside the pickle": (archive([("archive/data.pkl", b"\x80\x02}."), ("archive/data/0", bytes(8_000_000))],
                                           zipfile.ZIP_BZIP2), "compressed member"),
        "weights of any length": (legacy(b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00"
                                         b"\x00cpu\x8a\x07\xff\xff\xff\xff\xff\xff\x00NtQ.")[:-2]
                                  + b"]X\x01\x00\x00\x000a." + b"\xff" * 6 + b"\x00\x00", "asks for .* bytes"),
    }


def misshapen() -> dict[str, tuple[bytes, str]]:
    """Files that are no official ones, or that were cut or went on."""
    good, bz, stream, zipped = genuine(), bz2.compress(genuine(), 1), saved(False, True), saved(True)
    cuts = {f"{name} cut at {share}": (content[:int(len(content) * share)], "ends in the middle|damaged|zip that is cut|neither")
            for name, content in (("pickle", good), ("bz2", bz), ("torch stream", stream), ("torch zip", zipped))
            for share in (0.0001, 0.3, 0.999)}
    return cuts | {
        "empty": (b"", "is empty"),
        "text": (b"index,accuracy\n0,91.2\n", "is neither bz2"),
        "wrong magic": (b"\x89HDF\r\n\x1a\n" + bytes(100), "is neither bz2"),
        "protocol 0": (b"(dp0\n.", "is neither bz2"),
        "protocol 9": (b"\x80\x09}.", "is neither bz2"),
        "protocol 9 later": (b"\x80\x04\x80\x09}.", "protocol 9"),
        "unknown instruction": (b"\x80\x04\xff.", "unknown instruction 0xff"),
        "only a stop": (b"\x80\x04.", "does not end with one value"),
        "two values": (b"\x80\x04NN.", "does not end with one value"),
        "an open mark": (b"\x80\x04(N.", "does not end with one value"),
        "values that are not there": (b"\x80\x04\x86.", "takes values that it has not given"),
        "a mark that is not there": (b"\x80\x04Nt.", "damaged"),
        "no UTF-8": (b"\x80\x04\x8c\x02\xff\xff.", "damaged"),
        "a list that is a dictionary": (b"\x80\x04]NNs.", "adds to a list as if it were a dict"),
        "a key without a value": (b"\x80\x04}(Nu.", "key without a value"),
        "pickle that goes on": (good + b"N.", "goes on after the end"),
        "bz2 that goes on": (bz + b"BZh9", "goes on after the end"),
        "bz2 inside that goes on": (bz2.compress(good + b"\x80\x04N.", 1), "goes on after the end"),
        "torch stream that goes on": (stream + b"x", "goes on after the end"),
        "torch zip that goes on": (zipped + b"x", "cut or goes on"),
        "damaged bz2": (bz[:1000] + bytes([bz[1000] ^ 255]) + bz[1001:], "damaged bz2"),
        "damaged zip": (zipped[:5_000] + bytes([zipped[5_000] ^ 1]) + zipped[5_001:], "is a damaged zip|holds a"),
        "several data.pkl": (archive([("archive/data.pkl", b"\x80\x02}."), ("archive/a/data.pkl", b"\x80\x02}.")]),
                             "2 members data.pkl"),
        "zip of two long names": (archive([("a/" + "b" * 9_000 + "/data.pkl", b"\x80\x02}.")]).replace(b"a/b", b"c/b", 1),
                                  r"is a damaged zip \(.File name .*\.\.\..\)$"),
        "no data.pkl": (archive([("archive/version", b"3")]), "0 members data.pkl"),
        "path traversal": (archive([("archive/data.pkl", b"\x80\x02}."), ("archive/../../canary", b"x")]), "outside of its"),
        "absolute path": (archive([("archive/data.pkl", b"\x80\x02}."), ("/tmp/canary", b"x")]), "outside of its folder"),
        "torch of a big-endian machine": (legacy(b"\x80\x02}.").replace(b"\x88", b"\x89"), "little-endian"),
        "torch of another version": (legacy(b"\x80\x02}.").replace(b"M\xe9\x03", b"M\xea\x03"), "unknown version"),
        "torch with storages that are not there": (legacy(b"\x80\x02}.")[:-2] + b"]X\x01\x00\x00\x000a.", "other storages"),
        "a dictionary": (pickle.dumps({"a": 1}, 4), "none of the official layouts"),
        "a list": (pickle.dumps([1, 2], 4), "none of the official layouts"),
    }


def wrong() -> dict[str, tuple[bytes, str]]:
    """Files of the right layout whose content cannot be, or is of something else."""
    infos = "arch2infos"
    return {
        "arch of another space": (changed(lambda v: v["200"].update(arch_str="|conv_7x7~0|")), "calls architecture 11"),
        "arch of the size space": (changed(lambda v: v["12"].update(arch_str="8:8:8:16:32")), "size search space"),
        "channels in the results": (changed(lambda v: at(v)["arch_config"].update(channels="8:8")), "size search space"),
        "arch of another index": (changed(lambda v: v["200"].update(arch_str=nasbench201().strings[12])), "calls arch.* 11"),
        "other arch inside": (changed(lambda v: at(v)["arch_config"].update(arch_str="|x|")), "results of another architecture"),
        "index out of range": (changed(lambda v: v["12"].update(arch_index=15_625)), "index 15625; there are 0 to 15624"),
        "negative index": (changed(lambda v: v["12"].update(arch_index=-1)), "index -1"),
        "huge index": (changed(lambda v: v["12"].update(arch_index=10**2000)), r"index 10{19}\.\.\.\(2001 digits\); there"),
        "index that is a string": (changed(lambda v: v["12"].update(arch_index="11")), "index is no integer"),
        "NaN accuracy": (changed(lambda v: at(v)["eval_acc1es"].update({"ori-test@199": float("nan")})), "of nan, which"),
        "infinite loss": (changed(lambda v: at(v)["train_losses"].update({199: float("inf")})), "of inf, which cannot be"),
        "accuracy above 100": (changed(lambda v: at(v)["train_acc1es"].update({199: 100.5})), "accuracy .* of 100.5"),
        "negative accuracy": (changed(lambda v: at(v)["train_acc1es"].update({199: -0.5})), "accuracy .* of -0.5"),
        "negative loss": (changed(lambda v: at(v)["eval_losses"].update({"ori-test@199": -1.0})), "loss .* of -1"),
        "negative time": (changed(lambda v: at(v)["train_times"].update({7: -1.0})), "time .* of -1"),
        "times without a sum": (changed(lambda v: at(v)["train_times"].update(dict.fromkeys(range(200), 1e308))), "is damaged"),
        "accuracy that is text": (changed(lambda v: at(v)["train_acc1es"].update({199: "91"})), "is no number"),
        "accuracy that is true": (changed(lambda v: at(v)["train_acc1es"].update({199: True})), "is no number"),
        "accuracy that is huge": (changed(lambda v: at(v)["train_acc1es"].update({199: 10**400})), "is no number"),
        "negative parameters": (changed(lambda v: at(v).update(params=-1.0)), "parameters .* of -1"),
        "latency that is text": (changed(lambda v: at(v).update(latency="0.1")), "latency .* no list"),
        "last epoch missing": (changed(lambda v: at(v)["eval_acc1es"].pop("ori-test@199")), "lacks the accuracy or the loss"),
        "last epoch missing in training": (changed(lambda v: at(v)["train_losses"].pop(199)), "not one value for each of 200"),
        "negative epoch": (changed(lambda v: at(v)["train_times"].update({-1: 5.0})), "not one value for each of 200"),
        "13 epochs": (changed(lambda v: at(v, epochs="12", seed=111).update(epochs=13)), "training of 13 epochs"),
        "200 epochs among 12": (changed(lambda v: results(v, "12").update(results(v))), "not all of the same number"),
        "12 and 200 exchanged": (changed(lambda v: v.update({"12": v["200"], "200": v["12"]})), "does not hold the results"),
        "unknown data set": (changed(lambda v: at(v).update(name="svhn")), "data set svhn"),
        "unknown evaluation": (changed(lambda v: at(v)["eval_names"].append("x-train")), "on x-train"),
        "evaluation twice": (changed(lambda v: at(v)["eval_names"].append("ori-test")), "no list of names"),
        "key and content of another seed": (changed(lambda v: at(v).update(seed="0888")), "with seed 888 under cifar10 and 777"),
        "key and content of another set": (
            changed(lambda v: results(v).update({("cifar100", 777): results(v).pop(("cifar10", 777))})),
            "on cifar10 with seed 777 under cifar100 and 777"),
        "a training under two keys": (
            changed(lambda v: results(v).update({("cifar10", 999): at(v)})), "lacks a part|under cifar10"),
        "seeds that are not listed": (changed(lambda v: v["200"]["dataset_seed"].update(cifar10=[777])), "other seeds"),
        "data set of a long name": (changed(lambda v: at(v).update(name="x" * 200)), r"data set 'x{100}\.\.\.'; there are"),
        "seeds that are not there": (changed(lambda v: v["200"]["dataset_seed"].update(cifar10=[777, 888, 999])), "other seeds"),
        "a seed listed twice": (changed(lambda v: v["200"]["dataset_seed"].update(cifar10=[777, 777, 888])), "other seeds"),
        "a seed of five digits and more": (changed(lambda v: at(v).update(seed="0" * 40)), "with the seed"),
        "results without a part": (changed(lambda v: at(v).pop("eval_losses")), "lacks a part of the results"),
        "no results": (changed(lambda v: results(v).clear()), "holds no results of architecture 11"),
        "results without a seed": (changed(lambda v: results(v).update({"cifar10": at(v)})), "not under a data set and a seed"),
        "a dictionary for two trainings": (changed(sharing), "uses one dictionary as eval_times"),
        "accuracies for two trainings": (changed(unevaluated), "never evaluated"),
        "a configuration for two architectures": (two_with_one_configuration(), "keeps results of another architecture under 12"),
        "only 200 epochs": (changed(lambda v: v.pop("12")), "none of the official layouts"),
        "the same pair twice": (genuine().replace(b"\x8c\x03200\x94", b"\x8c\x0212\x94", 1), "stands twice|damaged|middle"),
        "architecture under another index": (whole(lambda v: v[infos].update({12: v[infos].pop(11)})), "architecture 11 under"),
        "an architecture twice": (whole(lambda v: v[infos].update({12: v[infos][11]})), "architecture 11 under index 12"),
        "no architectures": (whole(lambda v: v[infos].clear()), "holds no architectures"),
        "an architecture without results": (whole(lambda v: v[infos].update({12: {}})), "no complete results of architecture 12"),
        "an index that is text": (whole(lambda v: v[infos].update({"11": v[infos].pop(11)})), "architecture 11 under"),
        "list of other architectures": (whole(lambda v: v["meta_archs"].reverse()), "lists other architectures"),
        "list of the size space": (whole(lambda v: v.update(meta_archs=["8:8:8:8:8"])), "size search space"),
        "list that is too short": (whole(lambda v: v["meta_archs"].pop()), "lists other architectures"),
        "layouts mixed": (whole(lambda v: v[infos].update({12: official.both(official.facts("v1_1", (12,)), ("less", "full"))})),
                          "mixes the layouts"),
    }


def folders() -> dict[str, tuple[dict[str, bytes], str]]:
    """Folders of official files of which one is not what its name says, or wants to do harm."""
    one, every = bz2.compress(genuine(), 1), bz2.compress(pickle.dumps(official.nats_object(FACTS), 4), 1)
    call = bz2.compress(b"\x80\x04" + named("os", "system") + text("x") + b"\x85R.")
    meta = bz2.compress(pickle.dumps({"meta_archs": list(nasbench201().strings), "arch2infos": None}, 4), 1)
    name, other, listed = "000011.pickle.pbz2", "000012.pickle.pbz2", "meta.pickle.pbz2"
    nats = bz2.compress(pickle.dumps(official.both(official.facts("nats", (12,)), ("12", "200")), 4), 1)
    return {
        "list that is an architecture": ({name: one, listed: one}, r"meta\.pickle\.pbz2 does not hold the list of arch"),
        "list that is the whole file": ({name: one, listed: every}, r"meta\.pickle\.pbz2 does not hold the list of arch"),
        "list that calls": ({name: one, listed: call}, r"meta\.pickle\.pbz2 asks for os\.system"),
        "list that is cut": ({name: one, listed: meta[:-9]}, r"meta\.pickle\.pbz2 ends in the middle of its bz2 data"),
        "architecture that is the list": ({name: one, other: meta}, "000012.* does not hold architecture 12"),
        "architecture that is the whole file": ({name: every}, "000011.* does not hold architecture 11"),
        "architecture of another name": ({other: one, listed: meta}, "000012.* does not hold architecture 12"),
        "architecture that calls": ({name: one, other: call, listed: meta}, r"000012\.pickle\.pbz2 asks for os\.system"),
        "architecture twice": ({name: one, "11.pickle.pbz2": one}, "are both architecture 11"),
        "archive that calls": ({"000011-FULL.pth": saved(False), "000012-FULL.pth": legacy(b"\x80\x02cos\nsystem\n.")},
                               r"000012-FULL\.pth asks for os\.system"),
        "archive of the other benchmark": ({"000011-FULL.pth": saved(False), "000012-FULL.pth": nats},
                                           "000012.* is not of the same benchmark as 000011"),
        "only the list": ({listed: meta}, "holds neither 000000"),
    }
