export interface paths {
    "/users/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Register a user, in two steps
         * @description Step 1 sends a code to the phone and returns `transactionId`. Step 2 carries it and the code, with the user's e-mail address, password and custom properties, and returns the user. `POST /users/register` also works without the root `/api`.
         */
        post: operations["register"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/services/Plivo/loginWithPhoneNumber": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start a login with a code
         * @description Sends a code to the phone of a user. The response is the same for a phone without a user. The body may also be the number alone, as a JSON string or as text.
         */
        post: operations["loginWithPhoneNumber"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/services/Plivo/loginWithPhoneNumberAndPassword": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start a login with password and code
         * @description Sends a code if the password is right.
         */
        post: operations["loginWithPhoneNumberAndPassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/services/Plivo/loginWithCode": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Finish a login of either kind
         * @description Returns the user with `user-token`, the session's token. With the header `device-token: new`, also a `device-token` with limits of its own.
         */
        post: operations["loginWithCode"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/services/Plivo/status/{transactionId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get what became of a code
         * @description Poll it every few seconds while the user waits. `retryAt` is when the phone's limits admit the next start. A phone without a user gets an answer like any other.
         */
        get: operations["transactionStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/services/Plivo/sendMessage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send an SMS or MMS
         * @description For your own servers, which have the message key; never for an app. A message with the same `Idempotency-Key` is sent only once.
         */
        post: operations["sendMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/services/Plivo/message/{uuid}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Ask what became of a message
         * @description By the `message_uuid` that `sendMessage` has answered, for 30 days. `unknown`: no final report came within four hours.
         */
        get: operations["messageStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/services/Plivo/consent": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Record what a phone's owner has agreed to
         * @description For your own servers. The last 50 records of a phone are kept. It lifts no opt-out: only the phone does, by START.
         */
        post: operations["addConsent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/services/Plivo/consent/{phone}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a phone's consents, and whether it has opted out
         * @description For your own servers.
         */
        get: operations["getConsents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the application's id and key */
        get: operations["info"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/isvalidusertoken/{token}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Check a session */
        get: operations["isValidUserToken"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** End the session */
        get: operations["logout"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the session's user */
        get: operations["me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the user's sessions */
        get: operations["listSessions"];
        put?: never;
        post?: never;
        /**
         * End all other sessions
         * @description Ends the user's device tokens too.
         */
        delete: operations["endOtherSessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/sessions/{sessionId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End one session */
        delete: operations["endSession"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get a JWT for the app's back end
         * @description 404 unless the setting JWT_ISSUER is set.
         */
        post: operations["issueJwt"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/.well-known/openid-configuration": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Find the public keys for JWTs
         * @description 404 unless the setting JWT_ISSUER is set.
         */
        get: operations["openidConfiguration"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/.well-known/jwks.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the public keys for JWTs
         * @description 404 unless the setting JWT_ISSUER is set.
         */
        get: operations["jwks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Not offered
         * @deprecated
         * @description It would be a login without a code: use `loginWithPhoneNumberAndPassword`.
         */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/{objectId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Update the user, password or phone
         * @description A new password needs a login within ten minutes, or `currentPassword`; a new phone one within twenty. A new phone takes two requests, the second with `transactionId` and `transactionCode`.
         */
        put: operations["updateUser"];
        post?: never;
        /**
         * Delete the user and their data
         * @description Needs a login within ten minutes.
         */
        delete: operations["deleteUser"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/Users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Update the user, password or phone
         * @description A new password needs a login within ten minutes, or `currentPassword`; a new phone one within twenty. A new phone takes two requests, the second with `transactionId` and `transactionCode`.
         */
        put: operations["saveUser"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/Users/{objectId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the session's user by id */
        get: operations["getUser"];
        put?: never;
        post?: never;
        /**
         * Delete the user and their data
         * @description Needs a login within ten minutes.
         */
        delete: operations["deleteUserData"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/Users/find": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Find users
         * @description Returns only the session's user. The body is optional.
         */
        post: operations["findUsers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/Users/count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Count users
         * @description Returns only the session's user. The body is optional.
         */
        post: operations["countUsers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/userclassprops": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the columns of users
         * @description Only the service's own columns: custom properties have no fixed type.
         */
        get: operations["describeUserClass"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/Users/properties": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the columns of users
         * @description Only the service's own columns: custom properties have no fixed type.
         */
        get: operations["describeUsers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/userroles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the roles of the session's user
         * @description Without a session, the roles of a guest.
         */
        get: operations["userRoles"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/verifypassword": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check the user's password
         * @description A wrong password counts as a failed login.
         */
        post: operations["verifyPassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/verifypassowrd": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check the user's password
         * @description The Backendless SDK's spelling of `verifypassword`.
         */
        post: operations["verifyPassowrd"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Export all data about the user */
        get: operations["exportUser"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/users/restorepassword/{identity}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Start the reset of a forgotten password
         * @description Sends a code to the phone of the user with this phone or e-mail address. The response is the same if there is none.
         */
        get: operations["restorePassword"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/services/Plivo/resetPassword": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Set a new password with a code
         * @description Ends all sessions. Does not log in.
         */
        post: operations["resetPassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/plivo/codes/{sendId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report what became of a code's SMS
         * @description For Plivo only, which signs it (V3). Known, unknown, late and repeated ones are all answered with 200.
         */
        post: operations["reportCode"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/plivo/messages/{sendId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report what became of a message of sendMessage
         * @description For Plivo only, which signs it (V3). Known, unknown, late and repeated ones are all answered with 200.
         */
        post: operations["reportMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/plivo/inbound": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pass on a message to our number
         * @description For Plivo only, which signs it (V3). Known, unknown, late and repeated ones are all answered with 200.
         */
        post: operations["receiveMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/plivo/calls/{sendId}/answer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ask what a call that was answered is to say
         * @description For Plivo only, which signs it (V3). Known, unknown, late and repeated ones are all answered with 200.
         */
        post: operations["answerCall"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/plivo/calls/{sendId}/hangup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report the end of a call
         * @description For Plivo only, which signs it (V3). Known, unknown, late and repeated ones are all answered with 200.
         */
        post: operations["endCall"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A column of users. */
        Column: {
            /** @description The property's name. */
            name: string;
            /** @description Whether a registration needs it. */
            required: boolean;
            /** @description Backendless' type. */
            type: string;
            /** @description Always null. */
            defaultValue: string | null;
            /** @description Always null. */
            relatedTable: string | null;
            /** @description Always null. */
            customRegex: string | null;
            /** @description Always false. */
            autoLoad: boolean;
            /** @description Whether users are known by it. */
            identity: boolean;
            /** @description Whether it is the user's id. */
            isPrimaryKey: boolean;
        };
        /** @description What a phone's owner has agreed to. */
        Consent: {
            /** @description The phone, E.164, or as it is dialled in the default country. */
            phoneNumber: string;
            /** @description What the owner was shown, up to 500 characters. */
            text: string;
            /** @description Where, like the address of the page, up to 100 characters. */
            source: string;
        };
        /** @description A record of a consent, an opt-out or its end. */
        ConsentRecord: {
            /**
             * Format: int64
             * @description When, in milliseconds since 1970.
             */
            at: number;
            /** @description `consent`, `opt_out` or `opt_in`. */
            kind: string;
            /** @description What the owner was shown or wrote; null once the user is deleted. */
            text: string | null;
            /** @description Where it comes from. */
            source: string;
        };
        /** @description What a phone has agreed to. */
        Consents: {
            optedOut: components["schemas"]["OptOut"] | null;
            /** @description The last 50 records, oldest first. */
            records: components["schemas"]["ConsentRecord"][];
        };
        /** @description A deletion. */
        DeletionResult: {
            /**
             * Format: int64
             * @description When, in milliseconds since 1970.
             */
            deletionTime: number;
        };
        /** @description Nothing. */
        Empty: Record<string, unknown>;
        /** @description Machine-readable details. */
        ErrorData: {
            /**
             * @description The reason, a stable word. Treat unknown values as a failure.
             * @enum {string}
             */
            reason: "login_disabled" | "invalid_request" | "empty_body" | "body_too_large" | "not_json" | "not_an_object" | "duplicate_field" | "missing_field" | "wrong_type" | "unknown_field" | "invalid_phone_number" | "number_not_served" | "country_not_served" | "invalid_transaction_id" | "invalid_code" | "proxy_required" | "code_rejected" | "transaction_not_found" | "login_rejected" | "password_missing" | "password_not_text" | "password_too_short" | "password_too_long" | "password_not_printable" | "password_too_common" | "password_known" | "identity_missing" | "invalid_email" | "reserved_object_id" | "reserved_updated" | "reserved_created" | "invalid_properties" | "invalid_property_value" | "user_exists" | "user_disabled" | "session_invalid" | "user_changed" | "fixed_property" | "session_not_fresh" | "invalid_query" | "session_not_found" | "not_own" | "access_denied" | "signature_invalid" | "message_not_found" | "too_many_messages" | "captcha_required" | "too_many_starts" | "too_many_passwords" | "too_many_wrong_codes" | "message_empty" | "message_too_long" | "message_not_text" | "too_many_media_urls" | "invalid_media_url" | "media_not_served" | "opted_out" | "invalid_idempotency_key" | "idempotency_key_reused" | "message_in_flight" | "unknown_event" | "message_rejected" | "sms_rejected" | "sms_unavailable" | "budget_spent" | "numbers_suspended" | "switched_off" | "sms_unknown" | "unavailable" | "unknown_application" | "not_found" | "method_not_allowed" | "internal";
            /**
             * Format: int64
             * @description Seconds after which to try again.
             */
            retryAfter?: number | null;
        };
        /** @description Why a request was refused. */
        ErrorResponse: {
            /**
             * Format: int32
             * @description Backendless' code for the case, else 14000.
             */
            code: number;
            /** @description A sentence for developers. */
            message: string;
            /** @description Machine-readable details. */
            errorData: components["schemas"]["ErrorData"];
        };
        /** @description A user, or its requested properties. */
        FoundUser: {
            /** @description The user's id, an upper-case UUID. */
            objectId: string;
            /** @description The same id. */
            ownerId?: string;
            /** @description `Users`. */
            ___class: string;
            /** @description The phone, E.164. */
            phoneNumber?: string;
            /** @description The e-mail address, where the user has one. */
            email?: string | null;
            /** @description `ENABLED` or `DISABLED`. */
            userStatus?: string;
            /**
             * Format: int64
             * @description When the user registered, in milliseconds since 1970.
             */
            created?: number;
            /**
             * Format: int64
             * @description When the user was last changed; null until then.
             */
            updated?: number | null;
            /**
             * Format: int64
             * @description When the user last logged in.
             */
            lastLogin?: number | null;
            /** @description The user's language, two letters. */
            blUserLocale?: string;
            /** @description `BACKENDLESS`. */
            socialAccount?: string | null;
            /** @description `Users`, after a login. */
            ___jsonclass?: string | null;
            /** @description The session's token, after a login: send it as the header `user-token`. */
            "user-token"?: string | null;
            /** @description A device token, where the login asked for one by the header `device-token: new`. */
            "device-token"?: string | null;
            /** @description After a change of the phone was asked for: the transaction that the code finishes. */
            transactionId?: string | null;
        } & {
            [key: string]: unknown;
        };
        /** @description The application. */
        Info: {
            /** @description Its id. */
            appId: string;
            /** @description Its key, which is public. */
            apiKey: string;
            /** @description Empty: there is no real-time server. */
            rtURL: string;
            /** @description Otpost's version. */
            version: string;
        };
        /** @description Public keys (RFC 7517). */
        Jwks: {
            /** @description The keys: the one that signs, and during a rotation another. */
            keys: {
                [key: string]: unknown;
            }[];
        };
        /** @description A JWT for the app's back end. */
        Jwt: {
            /** @description The token. */
            token: string;
            /**
             * Format: int64
             * @description How long it is valid, in seconds.
             */
            expiresIn: number;
        };
        /** @description An SMS, or an MMS where it has media. */
        Message: {
            /** @description The phone, E.164, or as it is dialled in the default country. */
            phoneNumber: string;
            /** @description The text: up to 1600 GSM or 737 Unicode characters. May be missing where there is media. */
            message?: string | null;
            /** @description Up to ten public https links of media. A string separated by commas, as Backendless has it, is accepted as well. */
            mediaUrls?: string[] | null;
            /** @description Like the header `Idempotency-Key`. */
            idempotencyKey?: string | null;
        };
        /** @description Plivo's response. */
        MessageAccepted: {
            /** @description Plivo's text. */
            message: string;
            /** @description The ids of the messages at Plivo. */
            message_uuid: string[];
            /** @description The id of the request at Plivo. */
            api_id: string;
        };
        /** @description What became of a message. */
        MessageStatus: {
            /** @description Its id at Plivo. */
            message_uuid: string;
            /** @description `queued`, `sent`, `delivered`, `undelivered`, `failed`, or `unknown`. */
            state: string;
            /** @description Plivo's error code, if it failed. */
            errorCode?: string | null;
            /** @description What the code means, in English. */
            message?: string | null;
            /**
             * Format: int32
             * @description How many segments it has, once a report has said it.
             */
            segments?: number | null;
            /**
             * Format: int64
             * @description When it was sent, in epoch milliseconds.
             */
            created: number;
            /**
             * Format: int64
             * @description When the state last changed.
             */
            updated: number;
        };
        /** @description Where the public keys are (OpenID Connect Discovery 1.0). */
        OpenidConfiguration: {
            /** @description The issuer that JWTs name. */
            issuer: string;
            /** @description The address of the public keys. */
            jwks_uri: string;
            /** @description `RS256`. */
            id_token_signing_alg_values_supported: string[];
        };
        /** @description An opt-out from messages. */
        OptOut: {
            /**
             * Format: int64
             * @description When, in milliseconds since 1970.
             */
            at: number;
            /** @description The word that the phone sent, or `plivo_200` where Plivo has blocked a message. */
            by: string;
        };
        /** @description Whether a password is right. */
        PasswordCheck: {
            /** @description Whether it is. */
            valid: boolean;
        };
        /** @description A new password, with the code for it. */
        PasswordReset: {
            /** @description From the response of `restorepassword`. */
            transactionId: string;
            /** @description The code from the SMS: 6 digits or, during a guessing attack, eight. */
            code: string;
            /** @description The new password, 8 to 128 characters. */
            password: string;
        };
        /** @description A password. */
        PasswordVerification: {
            /** @description The user's password. */
            password: string;
        };
        /** @description A phone. */
        Phone: {
            /** @description The phone, E.164, or as it is dialled in the default country. */
            phoneNumber: string;
            channel?: ("sms" | "voice") & Record<string, unknown>;
        };
        /** @description A phone and its user's password. */
        PhoneAndPassword: {
            /** @description The phone, E.164, or as it is dialled in the default country. */
            phoneNumber: string;
            /** @description The user's password. */
            password: string;
            channel?: ("sms" | "voice") & Record<string, unknown>;
        };
        /** @description What Plivo tells: its own names and values. */
        PlivoForm: {
            [key: string]: string;
        };
        /** @description A query over users. It finds only the session's user. */
        Query: {
            /** @description A condition like `name = 'Jane'`. */
            where?: string | null;
            /** @description The properties to return, separated by commas. */
            props?: string | null;
            /** @description The properties to leave out, separated by commas. */
            excludeProps?: string | null;
            /**
             * Format: int64
             * @description How many users to return.
             */
            pageSize?: number | null;
            /**
             * Format: int64
             * @description How many users to skip.
             */
            offset?: number | null;
        };
        /** @description A registration. Step 1: `phoneNumber` alone. Step 2: all of it, and the app's custom properties. */
        Registration: {
            /** @description The phone, E.164, or as it is dialled in the default country. */
            phoneNumber: string;
            /** @description The user's e-mail address, where it is the identity. */
            email?: string | null;
            /** @description 8 to 128 characters. */
            password?: string | null;
            /** @description From the response of step 1. */
            transactionId?: string | null;
            /** @description The code from the SMS: 6 digits or, during a guessing attack, eight. */
            transactionCode?: string | null;
            /** @description The user's language, two letters. */
            blUserLocale?: string | null;
            /** @description In step 1, `voice` lets a call read the code. Otherwise it is a property of your own. */
            channel?: unknown;
        } & {
            [key: string]: unknown;
        };
        /** @description Step 1: only `transactionId`. Step 2: the user. */
        RegistrationAnswer: {
            /** @description The user's id, an upper-case UUID. */
            objectId?: string;
            /** @description The same id. */
            ownerId?: string;
            /** @description `Users`. */
            ___class?: string;
            /** @description The phone, E.164. */
            phoneNumber?: string;
            /** @description The e-mail address, where the user has one. */
            email?: string | null;
            /** @description `ENABLED` or `DISABLED`. */
            userStatus?: string;
            /**
             * Format: int64
             * @description When the user registered, in milliseconds since 1970.
             */
            created?: number;
            /**
             * Format: int64
             * @description When the user was last changed; null until then.
             */
            updated?: number | null;
            /**
             * Format: int64
             * @description When the user last logged in.
             */
            lastLogin?: number | null;
            /** @description The user's language, two letters. */
            blUserLocale?: string;
            /** @description `BACKENDLESS`. */
            socialAccount?: string | null;
            /** @description `Users`, after a login. */
            ___jsonclass?: string | null;
            /** @description The session's token, after a login: send it as the header `user-token`. */
            "user-token"?: string | null;
            /** @description A device token, where the login asked for one by the header `device-token: new`. */
            "device-token"?: string | null;
            /** @description After a change of the phone was asked for: the transaction that the code finishes. */
            transactionId?: string | null;
        } & {
            [key: string]: unknown;
        };
        /** @description A session. */
        Session: {
            /** @description Its id. */
            id: string;
            /** @description What the client called itself at the login. */
            device: string;
            /**
             * Format: int64
             * @description When it began, in milliseconds since 1970.
             */
            created: number;
            /**
             * Format: int64
             * @description When it was last used.
             */
            lastSeen: number;
            /** @description Whether it is the session of this request. */
            current: boolean;
        };
        /** @description A transaction that a code will finish. */
        Transaction: {
            /** @description Its id. */
            transactionId: string;
        };
        /** @description A code for a transaction. */
        TransactionCode: {
            /** @description From the response that began the transaction. */
            transactionId: string;
            /** @description The code from the SMS: 6 digits or, during a guessing attack, eight. */
            code: string;
        };
        /** @description What became of a transaction's code. */
        TransactionStatus: {
            /** @description `queued`, `sent`, `delivered`, `failed` or `unknown`. */
            state: string;
            /** @description `sms` or `voice`. */
            channel: string;
            /** @description Why it failed: a reason of docs/status.md. */
            reason?: string;
            /** @description The state in words for a person, in English. */
            message: string;
            /**
             * Format: int64
             * @description When the next start is admitted, in epoch milliseconds.
             */
            retryAt: number;
            /** @description Whether a call can read the code instead. */
            voice: boolean;
            /**
             * Format: int64
             * @description When the code expires, in epoch milliseconds.
             */
            expires: number;
        };
        /** @description A user, with the app's custom properties. */
        User: {
            /** @description The user's id, an upper-case UUID. */
            objectId: string;
            /** @description The same id. */
            ownerId: string;
            /** @description `Users`. */
            ___class: string;
            /** @description The phone, E.164. */
            phoneNumber: string;
            /** @description The e-mail address, where the user has one. */
            email?: string | null;
            /** @description `ENABLED` or `DISABLED`. */
            userStatus: string;
            /**
             * Format: int64
             * @description When the user registered, in milliseconds since 1970.
             */
            created: number;
            /**
             * Format: int64
             * @description When the user was last changed; null until then.
             */
            updated: number | null;
            /**
             * Format: int64
             * @description When the user last logged in.
             */
            lastLogin?: number | null;
            /** @description The user's language, two letters. */
            blUserLocale: string;
            /** @description `BACKENDLESS`. */
            socialAccount?: string | null;
            /** @description `Users`, after a login. */
            ___jsonclass?: string | null;
            /** @description The session's token, after a login: send it as the header `user-token`. */
            "user-token"?: string | null;
            /** @description A device token, where the login asked for one by the header `device-token: new`. */
            "device-token"?: string | null;
            /** @description After a change of the phone was asked for: the transaction that the code finishes. */
            transactionId?: string | null;
        } & {
            [key: string]: unknown;
        };
        /** @description Changes of a user: those properties that are there. The whole object of a former answer may be sent back. */
        UserChange: {
            /** @description The user's id, where the path does not hold it. */
            objectId?: string | null;
            /**
             * Format: int64
             * @description As read. If the user has changed since, the request is rejected.
             */
            updated?: number | null;
            /** @description Another phone. The first answer holds a `transactionId`; send the change again with it and the code from the SMS. */
            phoneNumber?: string | null;
            /** @description With a new phone, `voice` lets a call read its code. Otherwise it is a property of your own. */
            channel?: unknown;
            /** @description From the response to the first request with the new phone. */
            transactionId?: string | null;
            /** @description The code from the SMS: 6 digits or, during a guessing attack, eight. */
            transactionCode?: string | null;
            /** @description Another e-mail address, where it is not the identity. */
            email?: string | null;
            /** @description A new password, 8 to 128 characters. */
            password?: string | null;
            /** @description The current password: needed for a new phone or password when the login was too long ago. */
            currentPassword?: string | null;
            /** @description The user's language, two letters. */
            blUserLocale?: string | null;
        } & {
            [key: string]: unknown;
        };
        /** @description All stored data about a user. */
        UserExport: {
            /** @description The user. */
            user: components["schemas"]["User"];
            /** @description The user's sessions. */
            sessions: {
                [key: string]: unknown;
            }[];
            /** @description The phone's limits. */
            phone: {
                [key: string]: unknown;
            };
            /** @description When messages went to the phone, in milliseconds since 1970. */
            messages: number[];
            /** @description What the phone has agreed to. */
            consents: components["schemas"]["Consents"];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: {
        /** @description What is left of the limit (IETF draft). */
        RateLimit: string;
        /** @description The limit (IETF draft). */
        "RateLimit-Policy": string;
        /** @description Seconds after which to try again. */
        "Retry-After": number;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    register: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Registration"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RegistrationAnswer"];
                };
            };
        };
    };
    loginWithPhoneNumber: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Phone"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transaction"];
                };
            };
        };
    };
    loginWithPhoneNumberAndPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PhoneAndPassword"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transaction"];
                };
            };
        };
    };
    loginWithCode: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TransactionCode"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    transactionStatus: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TransactionStatus"];
                };
            };
        };
    };
    sendMessage: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Message"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageAccepted"];
                };
            };
        };
    };
    messageStatus: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageStatus"];
                };
            };
        };
    };
    addConsent: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Consent"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Consents"];
                };
            };
        };
    };
    getConsents: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Consents"];
                };
            };
        };
    };
    info: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Info"];
                };
            };
        };
    };
    isValidUserToken: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": boolean;
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Empty"];
                };
            };
        };
    };
    me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    listSessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"][];
                };
            };
        };
    };
    endOtherSessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Empty"];
                };
            };
        };
    };
    endSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Empty"];
                };
            };
        };
    };
    issueJwt: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Jwt"];
                };
            };
        };
    };
    openidConfiguration: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenidConfiguration"];
                };
            };
        };
    };
    jwks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Jwks"];
                };
            };
        };
    };
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    updateUser: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    deleteUser: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeletionResult"];
                };
            };
        };
    };
    saveUser: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    getUser: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    deleteUserData: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeletionResult"];
                };
            };
        };
    };
    findUsers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Query"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FoundUser"][];
                };
            };
        };
    };
    countUsers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Query"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": number;
                };
            };
        };
    };
    describeUserClass: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Column"][];
                };
            };
        };
    };
    describeUsers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Column"][];
                };
            };
        };
    };
    userRoles: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": string[];
                };
            };
        };
    };
    verifyPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordVerification"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasswordCheck"];
                };
            };
        };
    };
    verifyPassowrd: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordVerification"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasswordCheck"];
                };
            };
        };
    };
    exportUser: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserExport"];
                };
            };
        };
    };
    restorePassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transaction"];
                };
            };
        };
    };
    resetPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordReset"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Empty"];
                };
            };
        };
    };
    reportCode: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": components["schemas"]["PlivoForm"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    reportMessage: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": components["schemas"]["PlivoForm"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    receiveMessage: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": components["schemas"]["PlivoForm"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    answerCall: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": components["schemas"]["PlivoForm"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    endCall: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/x-www-form-urlencoded": components["schemas"]["PlivoForm"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
}
