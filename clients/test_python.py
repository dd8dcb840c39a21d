"""Registers a user and logs its phone in with the generated Python client, against a local stack."""

import json

import otpost
import stack

PASSWORD = "correct horse battery"


def main():
    with stack.stack() as url:
        plivo = stack.Plivo(url)
        configuration = otpost.Configuration(host=f"{url}/api")
        login, session = (
            kind(otpost.ApiClient(configuration)) for kind in (otpost.RegistrationAndLoginApi, otpost.SessionApi)
        )
        phone = "+14155550140"
        started = login.register(otpost.Registration(phoneNumber=phone))
        user = login.register(
            otpost.Registration(
                phoneNumber=phone,
                email="ann@example.com",
                password=PASSWORD,
                transactionId=started.transaction_id,
                transactionCode=plivo.code(phone),
                additional_properties={"name": "Ann"},
            )
        )
        stack.check(user.additional_properties == {"name": "Ann"}, "own properties", user)

        stack.call(f"{url}/_local/clock", "POST", {"advance": 31}).ok()
        challenge = login.login_with_phone_number(otpost.Phone(phoneNumber=phone)).transaction_id
        try:
            login.login_with_code(otpost.TransactionCode(transactionId=challenge, code="000000"))
            raise stack.Failed("a wrong code was taken")
        except otpost.ApiException as error:
            stack.check(error.status == 401, "a wrong code", error)
            reason = json.loads(error.body)["errorData"]["reason"]
            stack.check(reason == "code_rejected", "a wrong code", reason)
        logged_in = login.login_with_code(otpost.TransactionCode(transactionId=challenge, code=plivo.code(phone)))
        configuration.api_key["session"] = logged_in.user_token
        stack.check(session.me().object_id == user.object_id, "another user", logged_in)
        stack.check([one.current for one in session.list_sessions()] == [True], "sessions")
        session.logout()
        stack.check(session.is_valid_user_token(logged_in.user_token) is False, "the session goes on")
    print("the generated Python client: registered, logged in and out")


if __name__ == "__main__":
    main()
